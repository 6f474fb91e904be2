import { strict as assert } from "node:assert";
import type { FlowRequest, FlowSlice } from "../../dataplane/flow_messages.ts";
import { WorkerFlows } from "./worker_flows.ts";

function bed() {
  const sent: FlowRequest[] = [];
  const transferred: ArrayBuffer[] = [];
  const flows = new WorkerFlows((request, transfer = []) => {
    sent.push(request);
    transferred.push(...transfer);
  });
  return { sent, transferred, flows, kinds: () => sent.map(({ kind }) => kind) };
}

const bytes = (text: string) => new TextEncoder().encode(text);
const slice = (text: string, ended: boolean): FlowSlice => {
  return { chunks: [...text].map(bytes), rows: 1, last: null, ended };
};

Deno.test("worker flows: a list asks for the next slice before the caller uses the last one", async () => {
  const { flows, kinds } = bed();
  const list = flows.list({ what: "dry-runs" });
  const first = list.next();
  assert.deepEqual(kinds(), ["list-begin", "list-more"]);
  flows.receive({ kind: "list-slice", list: 0, slice: slice("a", false) });
  assert.deepEqual((await first).value?.chunks, [bytes("a")]);
  assert.deepEqual(kinds(), ["list-begin", "list-more", "list-more"]);
  flows.receive({ kind: "list-slice", list: 0, slice: slice("b", true) });
  assert.deepEqual((await list.next()).value?.chunks, [bytes("b")]);
  assert.equal((await list.next()).done, true);
  assert.deepEqual(kinds(), ["list-begin", "list-more", "list-more", "list-end"]);
});

Deno.test("worker flows: a list that is not read to its end is ended", async () => {
  const { flows, kinds } = bed();
  const list = flows.list({ what: "ended", filter: {}, most: 3 });
  const first = list.next();
  flows.receive({ kind: "list-slice", list: 0, slice: slice("a", false) });
  await first;
  await list.return();
  assert.equal(kinds().at(-1), "list-end");
  flows.receive({ kind: "list-slice", list: 0, slice: slice("b", false) });
});

Deno.test("worker flows: the rows of a list as lines, in whatever pieces they come", async () => {
  const { flows } = bed();
  const lines = Array.fromAsync(flows.lines({ what: "dry-runs" }));
  flows.receive({ kind: "list-slice", list: 0, slice: slice('{"a":"é"},\n2', false) });
  await Promise.resolve();
  await new Promise((resume) => setTimeout(resume));
  flows.receive({ kind: "list-slice", list: 0, slice: slice("", true) });
  assert.deepEqual(await lines, ['{"a":"é"}', "2"]);
});

Deno.test("worker flows: batches reach their follower, which says that it has taken them", () => {
  const { flows, sent, transferred } = bed();
  const got: string[] = [];
  const stop = flows.follow({}, ({ events, lost, taken }) => {
    got.push(`${events.map((piece) => new TextDecoder().decode(piece))} ${lost}`);
    taken();
  });
  const events = [bytes("x")];
  flows.receive({ kind: "flow-batch", follower: 0, events, lost: 2 });
  flows.receive({ kind: "flow-batch", follower: 7, events: [bytes("of another")], lost: 0 });
  stop();
  stop();
  flows.receive({ kind: "flow-batch", follower: 0, events: [bytes("late")], lost: 0 });
  assert.deepEqual(got, ["x 2"]);
  assert.deepEqual(sent.map(({ kind }) => kind), ["follow", "batch-taken", "unfollow"]);
  // The worker can fill them again.
  assert.deepEqual(transferred, events.map(({ buffer }) => buffer));
});
