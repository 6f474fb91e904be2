import { strict as assert } from "node:assert";
import { MemoryScheduler } from "../net/testkit/memory_scheduler.ts";
import type { PolicyKey } from "../mesh/model/model.ts";
import type { FlowPosition, OpenFlow } from "../proxy/flow_list.ts";
import { FlowLog } from "../telemetry/flow_log.ts";
import { flowParts } from "../telemetry/testkit/flows.ts";
import { type FlowAnswer, type FlowList, type FlowSlice, ROW_SEPARATOR } from "./flow_messages.ts";
import { FlowSessions } from "./flow_sessions.ts";

function bed(open: readonly OpenFlow[] = []) {
  const scheduler = new MemoryScheduler();
  const log = new FlowLog(1000, () => 0);
  const answers: FlowAnswer[] = [];
  const transferred: ArrayBuffer[] = [];
  const asked: (FlowPosition | null)[] = [];
  let now = 0;
  const sources = {
    log,
    dryRuns: {
      rows: () => [{ policy: "ns/p", result: "dry-run: deny policy match", caller: "10.0.0.1", count: 2 } as const],
    },
    series: () => [],
    policies: function* (search: string, most: number) {
      yield null;
      yield { policy: search as PolicyKey, action: null, scope: null, dryRun: false, rules: most, hits: [] };
    },
    decisions: (id: string | null) => [null, { id: id ?? "drain", text: "closed", policy: null, count: 3 }],
    open(after: FlowPosition | null) {
      asked.push(after);
      return open;
    },
  };
  const send = (answer: FlowAnswer, transfer: ArrayBuffer[]) => {
    answers.push(answer);
    transferred.push(...transfer);
  };
  // Each reading of the clock takes 0.01 ms.
  const sessions = new FlowSessions(sources, scheduler, send, () => now += 0.01);
  const more = (list: number) => {
    sessions.receive({ kind: "list-more", list });
    scheduler.step();
    const answer = answers.pop();
    assert.ok(answer?.kind === "list-slice" && answer.list === list);
    return answer.slice;
  };
  const read = (list: number, of: FlowList) => {
    sessions.receive({ kind: "list-begin", list, of });
    const slices = [];
    do slices.push(more(list)); while (!slices.at(-1)!.ended);
    return slices;
  };
  return { sessions, scheduler, log, answers, transferred, asked, more, read };
}

function flow(registration: number, changes = {}): OpenFlow {
  return { position: { pod: 1, component: 0, registration }, pod: "shop/cart", parts: flowParts(changes) };
}

function textOf(chunks: readonly Uint8Array[]): string {
  return chunks.map((chunk) => new TextDecoder().decode(chunk)).join("");
}

/** The rows of all slices. */
function rowsOf(slices: readonly FlowSlice[]) {
  const rows = slices.map(({ chunks }) => textOf(chunks)).filter((text) => text !== "")
    .flatMap((text) => text.split(ROW_SEPARATOR));
  assert.equal(rows.length, slices.reduce((sum, slice) => sum + slice.rows, 0));
  return rows.map((row) => JSON.parse(row));
}

Deno.test("flow sessions: open connections in slices of 2 ms, with their pod, and a position to go on behind", () => {
  const flows = Array.from({ length: 600 }, (_, i) => flow(i, { id: `${i}` }));
  const { read, asked } = bed(flows);
  const after = { pod: 1, component: 0, registration: 7 };
  const slices = read(1, { what: "open", filter: {}, after, most: null });
  assert.ok(slices.length > 1);
  const rows = rowsOf(slices);
  assert.deepEqual(rows.map(({ id }) => id), flows.map((_, i) => `${i}`));
  assert.equal(rows[0].pod, "shop/cart");
  assert.deepEqual(slices[0]!.last, flows[slices[0]!.rows - 1]!.position);
  assert.deepEqual(asked, [after]);
});

Deno.test("flow sessions: a filter that nothing meets still gives the loop back after 2 ms", () => {
  const { read } = bed(Array.from({ length: 1000 }, (_, i) => flow(i)));
  const slices = read(1, { what: "open", filter: { state: "half-closed" }, after: null, most: null });
  assert.ok(slices.length > 3);
  assert.deepEqual(rowsOf(slices), []);
});

Deno.test("flow sessions: connections that carry streams are left out; a list that does not exist has ended", () => {
  const { read, more, sessions } = bed([flow(1), { ...flow(2), parts: null }, flow(3, { state: "half-closed" })]);
  assert.equal(rowsOf(read(1, { what: "open", filter: {}, after: null, most: null })).length, 2);
  sessions.receive({ kind: "list-end", list: 1 });
  assert.deepEqual(more(1), { chunks: [], rows: 0, last: null, ended: true });
});

Deno.test("flow sessions: no more open connections than asked for, all of which meet the filter", () => {
  const { read } = bed([flow(1, { state: "connecting" }), flow(2), flow(3), flow(4)]);
  const [slice] = read(1, { what: "open", filter: { state: "open" }, after: null, most: 2 });
  assert.deepEqual([slice!.rows, slice!.last!.registration, slice!.ended], [2, 3, true]);
});

Deno.test("flow sessions: the last endings", () => {
  const { read, log } = bed();
  for (const id of ["a", "b", "c"]) log.ended("ended", flowParts({ id }));
  assert.deepEqual(rowsOf(read(1, { what: "ended", filter: {}, most: 2 })).map(({ id }) => id), ["c", "b"]);
});

Deno.test("flow sessions: the counts of dry runs", () => {
  assert.deepEqual(rowsOf(bed().read(1, { what: "dry-runs" })).map(({ count }) => count), [2]);
});

Deno.test("flow sessions: policies by a search, and traffic between pairs", () => {
  const { read } = bed();
  const row = { policy: "shop", action: null, scope: null, dryRun: false, rules: 7, hits: [] };
  assert.deepEqual(rowsOf(read(1, { what: "policies", search: "shop", most: 7 })), [row]);
  assert.deepEqual(rowsOf(read(2, { what: "pairs" })), []);
});

Deno.test("flow sessions: a follower gets batches until it is ended", () => {
  const { sessions, scheduler, log, answers, transferred } = bed();
  sessions.receive({ kind: "follow", follower: 5, filter: { direction: "inbound" } });
  log.opened(flowParts());
  log.opened(flowParts({ direction: "inbound" }));
  scheduler.advance(200);
  const [batch] = answers.splice(0);
  assert.ok(batch?.kind === "flow-batch");
  assert.deepEqual([batch.follower, textOf(batch.events).match(/data: /g)?.length, batch.lost], [5, 1, 0]);
  assert.deepEqual(transferred, batch.events.map(({ buffer }) => buffer));
  sessions.receive({ kind: "batch-taken", follower: 5, buffers: batch.events });
  sessions.receive({ kind: "unfollow", follower: 5 });
  sessions.receive({ kind: "unfollow", follower: 5 });
  sessions.receive({ kind: "batch-taken", follower: 5, buffers: [] });
  log.opened(flowParts({ direction: "inbound" }));
  scheduler.advance(1000);
  assert.deepEqual(answers, []);
  assert.equal(log.isFollowed, false);
});

Deno.test("flow sessions: however many slices are requested, a turn makes one", () => {
  const { sessions, scheduler, answers } = bed(Array.from({ length: 1000 }, (_, i) => flow(i)));
  for (const list of [1, 2, 3]) {
    sessions.receive({ kind: "list-begin", list, of: { what: "open", filter: {}, after: null, most: null } });
    sessions.receive({ kind: "list-more", list });
  }
  const counts = [answers.length];
  for (let i = 0; i < 4; i++) {
    scheduler.step();
    counts.push(answers.length);
  }
  assert.deepEqual(counts, [0, 1, 2, 3, 3]);
  assert.deepEqual(answers.map((answer) => answer.kind === "list-slice" && answer.list), [1, 2, 3]);
});
