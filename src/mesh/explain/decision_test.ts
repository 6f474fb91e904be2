import { strict as assert } from "node:assert";
import { authorize } from "../policy/authorize.ts";
import { DecisionCounts } from "../policy/decision_counts.ts";
import { match, policy, socket, stateOf, workload } from "../testkit/fixture.ts";
import { policyKey } from "../model/model.ts";
import type { MeshState } from "../state/state.ts";
import { type DecisionRow, decisionRows, sumDecisions } from "./decision.ts";
import { MeshState as State } from "../state/state.ts";

const POD = workload({ name: "pod", namespace: "ns" });
const toPort = (port: number) => [[match({ destinationPorts: [port] })]];
const deny = (...ports: number[]) =>
  policy({ name: "d", namespace: "ns", scope: "Namespace", action: "Deny", rules: ports.map(toPort) });

function rows(state: MeshState, id: string | null, counts = new DecisionCounts()): DecisionRow[] {
  const date = (at: number) => new Date(at).toISOString();
  return [...decisionRows({ state, counts, date }, id)].filter((row) => row !== null);
}

function decide(state: MeshState, port: number): string {
  const call = {
    destination: POD.workload,
    source: socket("10.0.0.9:1"),
    identity: null,
    target: socket(`10.0.0.1:${port}`),
  };
  return authorize(state, call).id;
}

Deno.test("decision: an id says which rule of which policy it is, also where that has not decided here", () => {
  const state = stateOf(POD, deny(1, 2));
  const [revision] = decide(stateOf(POD, deny(1, 2)), 2).split(".");
  const [row] = rows(state, `${revision}.2`);
  assert.deepEqual([row?.text, row?.policy?.conditions, row?.count], [
    "refused by rule 2 of policy ns/d",
    "port is 2",
    0,
  ]);
  assert.deepEqual(rows(state, `${revision}.3`), []);
  assert.deepEqual(rows(state, "aaaaaaaaaaaa.1"), []);
  assert.deepEqual(rows(state, null), [], "nothing was decided");
});

Deno.test("decision: a version that was replaced or removed is still explained, with its times", () => {
  let now = 1000;
  const state = new State(null, { now: () => now, after: () => ({ cancel() {} }) } as never);
  state.apply([POD, deny(1)]);
  const id = decide(state, 1);
  now = 2000;
  state.apply([deny(2)]);
  const [old] = rows(state, id);
  assert.deepEqual([old?.policy?.received, old?.policy?.removed], [
    "1970-01-01T00:00:01.000Z",
    "1970-01-01T00:00:02.000Z",
  ]);
  state.apply([{ kind: "remove-policy", key: policyKey("ns/d") }]);
  assert.equal(rows(state, id).length, 1);
  state.apply([deny(1)]);
  assert.deepEqual(rows(state, id).map((row) => row.policy?.removed), [null], "it is in force again");
});

Deno.test("decision: the same content once more is the same version", () => {
  let now = 1000;
  const state = new State(null, { now: () => now, after: () => ({ cancel() {} }) } as never);
  state.apply([POD, deny(1)]);
  const id = decide(state, 1);
  now = 2000;
  state.apply([deny(1)]);
  assert.deepEqual(rows(state, id).map(({ policy }) => [policy?.received, policy?.removed]), [
    ["1970-01-01T00:00:01.000Z", null],
  ]);
});

Deno.test("decision: of policies that are gone, the last 1000 decisions are kept", () => {
  const state = stateOf(POD);
  const ids: string[] = [];
  for (let port = 1; port <= 1005; port++) {
    state.apply([deny(port)]);
    ids.push(decide(state, port));
  }
  state.apply([{ kind: "clear" }]);
  assert.deepEqual([...state.retiredPolicies.values()].length, 1000);
  assert.deepEqual([rows(state, ids[4]!).length, rows(state, ids[5]!).length], [0, 1]);
});

Deno.test("decision: counts of several isolates are summed", () => {
  const counts = () => {
    const made = new DecisionCounts();
    for (const id of ["no-allow-policies", "no-allow-policies", "drain"]) made.add(id);
    return made;
  };
  const state = stateOf(POD, deny(1));
  const id = decide(state, 1);
  const one = rows(state, null, counts());
  assert.deepEqual(sumDecisions([...one, ...one]).map(({ id, count }) => [id, count]), [
    ["no-allow-policies", 4],
    ["drain", 2],
    [id, 0],
  ]);
});

Deno.test("decision counts: bounded, the oldest id goes first", () => {
  const counts = new DecisionCounts();
  for (let i = 0; i < 10_001; i++) counts.add(`${i}`);
  counts.add("1");
  assert.deepEqual([counts.of("0"), counts.of("1"), counts.of("10000"), [...counts.ids()].length], [0, 2, 1, 10_000]);
});
