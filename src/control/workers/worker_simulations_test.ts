import { strict as assert } from "node:assert";
import { ConfigError } from "../../config/error.ts";
import type { SimulateAnswer, SimulateRequest } from "../../dataplane/simulate_messages.ts";
import { SimulateSessions } from "../../dataplane/simulate_sessions.ts";
import { readObjects } from "../../mesh/istio_policies/read.ts";
import { parseSpiffeId } from "../../mesh/model/workload_identity.ts";
import type { RecordedCall } from "../../mesh/simulate/flow_calls.ts";
import { gatherChanges, parseDeletion, type PolicyChanges } from "../../mesh/simulate/policy_changes.ts";
import { MeshState } from "../../mesh/state/state.ts";
import { socket, workload } from "../../mesh/testkit/fixture.ts";
import { WorkerSimulations } from "./worker_simulations.ts";

const DENY = "{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: p, namespace: app}, " +
  "spec: {action: DENY, rules: [{}]}}";

function changes(yaml: string, ...deletions: string[]): PolicyChanges {
  const objects = [...readObjects(yaml, "p", "istio-system")].flat();
  return gatherChanges(objects, deletions.map((each) => parseDeletion(each)!), "istio-system");
}

/** Both sides with messages as structured clones. Each look at the clock takes a millisecond. */
function world(calls: number) {
  const state = new MeshState();
  state.apply([workload({ uid: "web", name: "web", namespace: "app", protocol: "HBONE", ips: ["10.0.0.1"] })]);
  const destination = state.workload("web" as never)!;
  const requests: SimulateRequest[] = [];
  const open = function* (): Generator<RecordedCall> {
    for (let i = 0; i < calls; i++) {
      const identity = parseSpiffeId(`spiffe://td/ns/app/sa/client-${i}`);
      const call = { destination, identity, source: socket("10.0.0.9:1"), target: socket("10.0.0.1:80") };
      yield { call, source: null, id: `${i}` };
    }
  };
  let now = 0;
  const sources = { mesh: { state, unknownPolicies: "deny" as const }, open, ended: () => [] };
  const answer = (message: SimulateAnswer) => queueMicrotask(() => main.receive(structuredClone(message)));
  const sessions = new SimulateSessions(sources, answer, () => now++);
  const main: WorkerSimulations = new WorkerSimulations((request) => {
    requests.push(request);
    sessions.receive(structuredClone(request));
  });
  return { main, requests };
}

Deno.test("a simulation is made in slices, and its changes arrive in portions", async () => {
  const { main, requests } = world(120);
  const { connections, flows, pairs } = await main.run(changes(DENY), false);
  assert.deepEqual([connections?.refused, connections?.changes.length, connections?.changes[119]?.ids], [120, 120, [
    "119",
  ]]);
  assert.deepEqual([flows?.evaluated, pairs], [0, null]);
  assert.ok(requests.filter(({ kind }) => kind === "simulate-more").length > 30);
  assert.deepEqual(requests.at(-1), { kind: "simulate-end", simulation: 0 });
});

Deno.test("at most 1,000 changes are listed, the others are counted", async () => {
  const { main } = world(1_100);
  const { connections } = await main.run(changes(DENY), true);
  assert.deepEqual([connections?.refused, connections?.changes.length, connections?.more], [1_100, 1_000, 100]);
});

Deno.test("changes that cannot be applied fail the simulation, and the next one runs", async () => {
  const { main, requests } = world(1);
  const failed = main.run(changes("", "app/none"), false);
  await assert.rejects(
    failed,
    (error: unknown) => error instanceof ConfigError && /does not have it/.test(error.message),
  );
  assert.deepEqual(requests.at(-1), { kind: "simulate-end", simulation: 0 });
  assert.equal((await main.run(changes(DENY), false)).connections?.refused, 1);
});
