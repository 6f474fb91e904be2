import { strict as assert } from "node:assert";
import { NO_FLOWS, reduceFlows, ROWS_MAX } from "./flow_list.ts";
import { flowEvent } from "./testkit/flow_event.ts";
import type { FlowEvent } from "./wire.ts";

const add = (list: typeof NO_FLOWS, ...events: FlowEvent[]) => reduceFlows(list, { kind: "events", events });
const ids = ({ rows }: typeof NO_FLOWS) => rows.map(({ flow }) => `${flow.event} ${flow.id}`);

Deno.test("flow list: newest first, and an ending takes the place of its opening", () => {
  const opened = ["a", "b"].map((id) => flowEvent({ id, event: "opened" }));
  const list = add(add(NO_FLOWS, ...opened), flowEvent({ id: "a" }), flowEvent({ id: "c", event: "refused" }));
  assert.deepEqual(ids(list), ["refused c", "ended a", "opened b"]);
  const both = add(NO_FLOWS, flowEvent({ id: "x", event: "opened" }), flowEvent({ id: "x" }));
  assert.deepEqual(ids(both), ["ended x"]);
  assert.equal(new Set(list.rows.map(({ key }) => key)).size, 3);
});

Deno.test("flow list: both ends of one connection are rows of their own", () => {
  const list = add(NO_FLOWS, flowEvent({ id: "a", direction: "inbound", event: "opened" }), flowEvent({ id: "a" }));
  assert.deepEqual(ids(list), ["ended a", "opened a"]);
});

Deno.test("flow list: bounded, however much arrives", () => {
  const events = Array.from({ length: ROWS_MAX + 500 }, (_, i) => flowEvent({ id: `${i}` }));
  const list = add(
    add(NO_FLOWS, ...events),
    ...events.slice(0, 10).map((event) => ({ ...event, id: `new ${event.id}` })),
  );
  assert.deepEqual([list.rows.length, list.rows[0]?.flow.id, list.rows[10]?.flow.id], [ROWS_MAX, "new 9", "2499"]);
  assert.equal(add({ ...NO_FLOWS, isPaused: true }, ...events).waiting.length, ROWS_MAX);
});

Deno.test("flow list: paused, rows wait until it goes on", () => {
  const paused = add(reduceFlows(add(NO_FLOWS, flowEvent({ id: "a" })), { kind: "paused" }), flowEvent({ id: "b" }));
  assert.deepEqual([ids(paused), paused.waiting.length], [["ended a"], 1]);
  assert.deepEqual(ids(reduceFlows(paused, { kind: "resumed" })), ["ended b", "ended a"]);
});

Deno.test("flow list: replaced, known rows keep their keys; not while it is paused", () => {
  const list = add(NO_FLOWS, flowEvent({ id: "a" }), flowEvent({ id: "b" }));
  const events = [flowEvent({ id: "b" }), flowEvent({ id: "c" })];
  const replaced = reduceFlows(list, { kind: "replaced", events });
  assert.deepEqual(ids(replaced), ["ended c", "ended b"]);
  assert.equal(replaced.rows[1]?.key, list.rows[0]?.key);
  const paused = reduceFlows(list, { kind: "paused" });
  assert.equal(reduceFlows(paused, { kind: "replaced", events }), paused);
});

Deno.test("flow list: a stream that begins again replaces the rows, with what has happened since", () => {
  const list = add(
    NO_FLOWS,
    flowEvent({ id: "a" }),
    flowEvent({ id: "b" }),
    flowEvent({ id: "gone", event: "opened" }),
  );
  const events = [
    ...["a", "b", "c"].map((id) => flowEvent({ id })),
    flowEvent({ id: "d", event: "opened" }),
    flowEvent({ id: "d" }),
  ];
  const begun = reduceFlows(list, { kind: "begun", events });
  assert.deepEqual(ids(begun), ["ended d", "ended c", "ended b", "ended a"]);
  assert.deepEqual(begun.rows.slice(2).map(({ key }) => key), list.rows.slice(1).map(({ key }) => key));
  assert.equal(new Set(begun.rows.map(({ key }) => key)).size, 4);
});

Deno.test("flow list: paused, its rows stay when a stream begins again, and each flow is there once in the end", () => {
  const rows = add(NO_FLOWS, flowEvent({ id: "a" }), flowEvent({ id: "b", event: "opened" }));
  const paused = add(reduceFlows(rows, { kind: "paused" }), flowEvent({ id: "c" }));
  const events = ["a", "b", "c", "d"].map((id) => flowEvent({ id }));
  const begun = reduceFlows(paused, { kind: "begun", events });
  assert.deepEqual([ids(begun), begun.waiting.length], [["opened b", "ended a"], 3]);
  assert.deepEqual(ids(reduceFlows(begun, { kind: "resumed" })), ["ended d", "ended c", "ended b", "ended a"]);
});

Deno.test("flow list: lost events are counted, also when the stream begins again", () => {
  const list = reduceFlows(reduceFlows(NO_FLOWS, { kind: "lost", count: 3 }), { kind: "lost", count: 4 });
  assert.deepEqual([list.lost, reduceFlows(list, { kind: "begun", events: [] }).lost], [7, 7]);
});
