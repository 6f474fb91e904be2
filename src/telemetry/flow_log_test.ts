import { strict as assert } from "node:assert";
import { FlowLog } from "./flow_log.ts";
import type { PastEvent } from "./flow_ring.ts";
import { flowParts } from "./testkit/flows.ts";

const END = { by: "client", how: "fin", phase: "open" } as const;

function log(capacity = 3) {
  let now = 0;
  const flows = new FlowLog(capacity, () => now++ * 1000);
  const end = (id: string, error: string | null = null) =>
    flows.ended("ended", flowParts({ id, state: "ended", ending: END, flag: "-", error }));
  const last = (
    most: number,
    filter = {},
  ) => [...flows.last(filter, most)].map((event) => event === null ? null : event.parts.id);
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
  const events: PastEvent[] = [];
  flows.follow({}, (event) => events.push(event));
  const parts = flowParts();
  flows.opened(parts);
  end("b");
  const [opened, ended] = events;
  assert.deepEqual(opened, { kind: "opened", time: 0, parts });
  assert.deepEqual([ended?.kind, ended?.time, ended?.parts.ending], ["ended", 1000, END]);
});

Deno.test("flow log: followers get what meets their filter, until they stop", () => {
  const { flows, end } = log();
  assert.equal(flows.isFollowed, false);
  const all: string[] = [], failed: string[] = [];
  const stop = flows.follow({}, ({ parts }) => all.push(parts.id));
  const stopFailed = flows.follow({ verdict: "failed" }, ({ parts }) => failed.push(parts.id));
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
