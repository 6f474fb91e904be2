import { strict as assert } from "node:assert";
import type { FlowRequest, FlowSlice } from "../../dataplane/flow_messages.ts";
import { WorkerFlows } from "./worker_flows.ts";

function bed() {
  const sent: FlowRequest[] = [];
  const flows = new WorkerFlows((request) => sent.push(request));
  return { sent, flows, kinds: () => sent.map(({ kind }) => kind) };
}

const slice = (text: string, ended: boolean): FlowSlice => ({ text, rows: 1, last: null, ended });

Deno.test("worker flows: a list asks for the next slice before the caller uses the last one", async () => {
  const { flows, kinds } = bed();
  const list = flows.list({ what: "dry-runs" });
  const first = list.next();
  assert.deepEqual(kinds(), ["list-begin", "list-more"]);
  flows.receive({ kind: "list-slice", list: 0, slice: slice("a", false) });
  assert.equal((await first).value?.text, "a");
  assert.deepEqual(kinds(), ["list-begin", "list-more", "list-more"]);
  flows.receive({ kind: "list-slice", list: 0, slice: slice("b", true) });
  assert.equal((await list.next()).value?.text, "b");
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

Deno.test("worker flows: batches reach their follower, which says that it has taken them", () => {
  const { flows, sent } = bed();
  const got: string[] = [];
  const stop = flows.follow({}, ({ events, lost, taken }) => {
    got.push(`${events} ${lost}`);
    taken();
  });
  flows.receive({ kind: "flow-batch", follower: 0, events: "x", lost: 2 });
  flows.receive({ kind: "flow-batch", follower: 7, events: "of another", lost: 0 });
  stop();
  stop();
  flows.receive({ kind: "flow-batch", follower: 0, events: "late", lost: 0 });
  assert.deepEqual(got, ["x 2"]);
  assert.deepEqual(sent.map(({ kind }) => kind), ["follow", "batch-taken", "unfollow"]);
});
