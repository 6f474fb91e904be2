import { strict as assert } from "node:assert";
import { FlowLog } from "./flow_log.ts";
import { flowParts } from "./testkit/flows.ts";

const END = { by: "client", how: "fin", phase: "open" } as const;

const read = (json: Uint8Array) => JSON.parse(new TextDecoder().decode(json));

function log(capacity = 3) {
  let now = 0;
  const flows = new FlowLog(capacity, () => now++ * 1000);
  const end = (id: string, error: string | null = null) =>
    flows.ended("ended", flowParts({ id, state: "ended", ending: END, flag: "-", error }));
  const last = (
    most: number,
    filter = {},
  ) => [...flows.last(filter, most).map((json) => json === null ? null : read(json).id)];
  return { flows, end, last };
}

Deno.test("flow log: keeps the last endings, newest first", () => {
  const { end, last } = log(3);
  assert.deepEqual(last(10), []);
  for (const id of ["a", "b"]) end(id);
  assert.deepEqual(last(10), ["b", "a"]);
  for (const id of ["c", "d", "e", "f"]) end(id);
  assert.deepEqual(last(10), ["f", "e", "d"]);
  assert.deepEqual(last(2), ["f", "e"]);
  assert.deepEqual(last(0), []);
});

Deno.test("flow log: a filter applies before the limit; flows that do not meet it are skipped one at a time", () => {
  const { end, last } = log(4);
  end("a", "no route to host");
  for (const id of ["b", "c", "d"]) end(id);
  assert.deepEqual(last(1, { verdict: "failed" }), [null, null, null, "a"]);
});

Deno.test("flow log: an event has its kind, its time and the flow", () => {
  const { flows, end } = log();
  const events: unknown[] = [];
  flows.follow({}, (json) => events.push(read(json)));
  flows.opened(flowParts());
  end("b");
  const [opened, ended] = events as [ReturnType<typeof read>, ReturnType<typeof read>];
  assert.deepEqual([opened.event, opened.time, opened.ending], ["opened", "1970-01-01T00:00:00.000Z", null]);
  assert.deepEqual([ended.event, ended.time, ended.ending], ["ended", "1970-01-01T00:00:01.000Z", END]);
  assert.deepEqual(opened.source, { address: "10.1.0.5:41000", workload: null, namespace: null, identity: null });
});

Deno.test("flow log: followers get what meets their filter, until they stop", () => {
  const { flows, end } = log();
  assert.equal(flows.isFollowed, false);
  const all: string[] = [], failed: string[] = [];
  const stop = flows.follow({}, (line) => all.push(read(line).id));
  const stopFailed = flows.follow({ verdict: "failed" }, (line) => failed.push(read(line).id));
  assert.equal(flows.isFollowed, true);
  end("a");
  end("b", "reset");
  stop();
  stop();
  end("c", "reset");
  stopFailed();
  end("d");
  assert.deepEqual([all, failed, flows.isFollowed], [["a", "b"], ["b", "c"], false]);
});
