import { strict as assert } from "node:assert";
import type { DumpRequest } from "../../dataplane/dump_messages.ts";
import { WorkerDumps } from "./worker_dump.ts";

function bed() {
  const sent: DumpRequest[] = [];
  return { sent, dumps: new WorkerDumps((request) => sent.push(request)) };
}

Deno.test("slices are asked for one by one, no sooner than they are wanted", async () => {
  const { sent, dumps } = bed();
  const reader = dumps.begin();
  const section = reader.section("policies");
  assert.deepEqual(sent, [{ kind: "dump-begin", dump: 0 }]);
  const first = section.next();
  assert.deepEqual(sent.slice(1), [{ kind: "dump-more", dump: 0 }]);
  dumps.receive({ kind: "dump-slice", dump: 0, text: "[", ended: false });
  assert.deepEqual(await first, { value: "[", done: false });
  assert.equal(sent.length, 2);
  const second = section.next();
  dumps.receive({ kind: "dump-slice", dump: 0, text: "]", ended: true });
  assert.deepEqual(await second, { value: "]", done: false });
  assert.deepEqual(await section.next(), { value: undefined, done: true });
  assert.equal(sent.length, 3);
  assert.throws(() => reader.section("workloads"), /workloads is not the next section/);
  reader.end();
  assert.deepEqual(sent.at(-1), { kind: "dump-end", dump: 0 });
});

Deno.test("a dump that failed in the worker fails here; late answers are nobody's", async () => {
  const { dumps } = bed();
  const [one, two] = [dumps.begin(), dumps.begin()];
  const failing = one.section("policies").next();
  const going = two.section("policies").next();
  dumps.receive({ kind: "dump-failed", dump: 0, message: "no room" });
  dumps.receive({ kind: "dump-slice", dump: 0, text: "late", ended: true });
  dumps.receive({ kind: "dump-slice", dump: 1, text: "[]", ended: true });
  await assert.rejects(failing, { message: "no room" });
  assert.deepEqual(await going, { value: "[]", done: false });
});
