import { strict as assert } from "node:assert";
import { MemoryScheduler } from "../net/testkit/memory_scheduler.ts";
import type { FlowPosition, OpenFlow } from "../proxy/flow_list.ts";
import { FlowLog } from "../telemetry/flow_log.ts";
import { flowParts } from "../telemetry/testkit/flows.ts";
import type { FlowAnswer, FlowList } from "./flow_messages.ts";
import { FlowSessions } from "./flow_sessions.ts";

function bed(open: readonly OpenFlow[] = []) {
  const scheduler = new MemoryScheduler();
  const log = new FlowLog(1000, () => 0);
  const answers: FlowAnswer[] = [];
  const asked: (FlowPosition | null)[] = [];
  let now = 0;
  const sources = {
    log,
    dryRuns: {
      rows: () => [{ policy: "ns/p", result: "dry-run: deny policy match", caller: "10.0.0.1", count: 2 } as const],
    },
    open(after: FlowPosition | null) {
      asked.push(after);
      return open;
    },
  };
  // Each reading of the clock takes 0.01 ms.
  const sessions = new FlowSessions(sources, scheduler, (answer) => answers.push(answer), () => now += 0.01);
  const more = (list: number) => {
    sessions.receive({ kind: "list-more", list });
    const answer = answers.pop();
    assert.ok(answer?.kind === "list-slice" && answer.list === list);
    return answer;
  };
  const read = (list: number, of: FlowList) => {
    sessions.receive({ kind: "list-begin", list, of });
    const slices = [];
    do slices.push(more(list)); while (!slices.at(-1)!.ended);
    return slices;
  };
  return { sessions, scheduler, log, answers, asked, more, read };
}

function flow(registration: number, changes = {}): OpenFlow {
  return { position: { pod: 1, component: 0, registration }, pod: "shop/cart", parts: flowParts(changes) };
}

Deno.test("flow sessions: open connections in slices of 256 rows, with their pod and position", () => {
  const flows = Array.from({ length: 600 }, (_, i) => flow(i));
  const { read, asked } = bed(flows);
  const after = { pod: 1, component: 0, registration: 7 };
  const slices = read(1, { what: "open", filter: {}, after });
  assert.deepEqual(slices.map(({ rows, ended }) => [rows.length, ended]), [[256, false], [256, false], [88, true]]);
  const rows = slices.flatMap(({ rows }) => rows);
  assert.deepEqual(rows.map(({ position }) => position), flows.map(({ position }) => position));
  assert.equal(JSON.parse(rows[0]!.text).pod, "shop/cart");
  assert.deepEqual(asked, [after]);
});

Deno.test("flow sessions: a filter that nothing meets still gives the loop back after 3 ms", () => {
  const { read } = bed(Array.from({ length: 1000 }, (_, i) => flow(i)));
  const slices = read(1, { what: "open", filter: { state: "half-closed" }, after: null });
  assert.ok(slices.length > 3);
  assert.equal(slices.flatMap(({ rows }) => rows).length, 0);
});

Deno.test("flow sessions: connections that carry streams are left out; a list that does not exist has ended", () => {
  const { read, more, sessions } = bed([flow(1), { ...flow(2), parts: null }, flow(3, { state: "half-closed" })]);
  assert.equal(read(1, { what: "open", filter: {}, after: null }).flatMap(({ rows }) => rows).length, 2);
  sessions.receive({ kind: "list-end", list: 1 });
  assert.deepEqual(more(1), { kind: "list-slice", list: 1, rows: [], ended: true });
});

Deno.test("flow sessions: the last endings", () => {
  const { read, log } = bed();
  for (const id of ["a", "b", "c"]) log.ended("ended", flowParts({ id }));
  const rows = read(1, { what: "ended", filter: {}, most: 2 }).flatMap(({ rows }) => rows);
  assert.deepEqual(rows.map(({ text, position }) => [JSON.parse(text).id, position]), [["c", null], ["b", null]]);
});

Deno.test("flow sessions: the counts of dry runs", () => {
  const [slice, ...others] = bed().read(1, { what: "dry-runs" });
  assert.deepEqual([slice!.rows.map(({ text }) => JSON.parse(text).count), others.length], [[2], 0]);
});

Deno.test("flow sessions: a follower gets batches until it is ended", () => {
  const { sessions, scheduler, log, answers } = bed();
  sessions.receive({ kind: "follow", follower: 5, filter: { direction: "inbound" } });
  log.opened(flowParts());
  log.opened(flowParts({ direction: "inbound" }));
  scheduler.advance(100);
  const [batch] = answers.splice(0);
  assert.ok(batch?.kind === "flow-batch");
  assert.deepEqual([batch.follower, batch.lines.length, batch.lost], [5, 1, 0]);
  sessions.receive({ kind: "batch-taken", follower: 5 });
  sessions.receive({ kind: "unfollow", follower: 5 });
  sessions.receive({ kind: "unfollow", follower: 5 });
  sessions.receive({ kind: "batch-taken", follower: 5 });
  log.opened(flowParts({ direction: "inbound" }));
  scheduler.advance(1000);
  assert.deepEqual(answers, []);
  assert.equal(log.isFollowed, false);
});
