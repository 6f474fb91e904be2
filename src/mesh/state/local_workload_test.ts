import { strict as assert } from "node:assert";
import { MeshState } from "./state.ts";
import { stateOf, workload } from "../testkit/fixture.ts";
import { identityOf } from "../model/workload_identity.ts";
import { MemoryNetwork } from "../../net/testkit/memory_network.ts";
import { HostNetwork } from "../../hbone/testkit/network.ts";
import { LocalWorkload } from "./local_workload.ts";

const NAME = { name: "pod", namespace: "ns", serviceAccount: "sa" };
const POD = workload({ name: "pod", namespace: "ns", serviceAccount: "sa", ips: ["10.0.0.1"], node: "local-node" });
const OTHER = workload({ name: "other", namespace: "ns", serviceAccount: "sa", ips: ["10.0.0.2"], node: "local-node" });

function bed(state: MeshState = new MeshState(null)) {
  const host = new HostNetwork(new MemoryNetwork(), 1);
  const local = new LocalWorkload(state, host, NAME);
  const got: (string | null)[] = [];
  return { host, state, local, got, wait: () => local.wait((found) => got.push(found?.name ?? null)) };
}

Deno.test("the local workload is there at once where the mesh has it", () => {
  const { local } = bed(stateOf(POD));
  assert.equal(local.current?.name, "pod");
});

// The name is what the node's agent (ZDS) says of the pod; the rest is what the control plane says of a workload.
const claims: readonly [claim: string, change: Partial<typeof POD.workload>, known: boolean][] = [
  ["its own account", {}, true],
  ["another account", { serviceAccount: "admin" }, false],
  ["another namespace", { namespace: "kube-system" }, false],
  ["another pod's name", { name: "other" }, false],
  ["another node", { node: "elsewhere" }, false],
];

for (const [claim, change, known] of claims) {
  Deno.test(`identity S37: a pod is not what only the mesh says of it: ${claim}`, () => {
    const state = new MeshState("local-node");
    state.apply([{ ...POD, workload: { ...POD.workload, ...change } }, OTHER]);
    const { local } = bed(state);
    assert.equal(local.current?.uid ?? null, known ? POD.workload.uid : null);
    if (known) assert.equal(identityOf(local.current!), "spiffe://cluster.local/ns/ns/sa/sa");
  });
}

Deno.test("dataplane SEL-16 callers that wait get the workload when it arrives, and nothing else", () => {
  const { state, wait, got, host, local } = bed();
  wait();
  wait();
  state.apply([OTHER]);
  assert.deepEqual([got, local.current], [[], null]);
  state.apply([POD]);
  assert.deepEqual(got, ["pod", "pod"]);
  assert.equal(host.held.timers, 0);
});

Deno.test("dataplane 1.4 4: after 5 s callers that wait get null", () => {
  const { wait, got, host } = bed();
  wait();
  host.memory.advance(4999);
  assert.deepEqual(got, []);
  host.memory.advance(1);
  assert.deepEqual(got, [null]);
});

Deno.test("a wait that was stopped is not called back, also where another callback stops it", () => {
  const { state, wait, got, host, local } = bed();
  wait()();
  let stopOther = () => {};
  local.wait(() => stopOther());
  stopOther = wait();
  state.apply([POD]);
  host.memory.advance(6000);
  assert.deepEqual(got, []);
  assert.equal(host.held.timers, 0);
});

Deno.test("the workload follows changes of the mesh, and is null when it is removed", () => {
  const { state, local } = bed(new MeshState(null));
  state.apply([POD]);
  assert.equal(local.current?.canonicalName, "");
  state.apply([{ ...POD, workload: { ...POD.workload, canonicalName: "new" } }]);
  assert.equal(local.current?.canonicalName, "new");
  state.apply([{ kind: "remove-address", name: POD.workload.uid }]);
  assert.equal(local.current, null);
});

Deno.test("after close no timer is left, and changes of the mesh have no effect", () => {
  const { state, wait, got, host, local } = bed();
  wait();
  local.close();
  state.apply([POD]);
  host.memory.advance(6000);
  assert.deepEqual(got, []);
  assert.equal(host.held.timers, 0);
});

Deno.test("a rejected workload is null; callers that wait get it soon after it is accepted", () => {
  let reason: string | null = "its namespace has another address";
  const host = new HostNetwork(new MemoryNetwork(), 1);
  const local = new LocalWorkload(stateOf(POD), host, NAME, (found) => {
    return reason === null ? { kind: "known", workload: found! } : { kind: "unknown", reason };
  });
  const got: (string | null)[] = [];
  assert.deepEqual([local.current], [null]);
  assert.equal(
    local.unknownMessage,
    "failed to fetch information about local workload: sa.ns (pod): its namespace has another address",
  );
  local.wait((found) => got.push(found?.name ?? null));
  host.memory.advance(4000);
  assert.deepEqual(got, []);
  reason = null;
  host.memory.advance(250);
  assert.deepEqual(got, ["pod"]);
  assert.equal(local.current?.name, "pod");
  assert.equal(host.held.timers, 0);
});

Deno.test("a workload that stays rejected: callers wait for 5 s, and without callers nothing is checked", () => {
  let checks = 0;
  const reject = () => ({ kind: "unknown", reason: `check ${++checks}` } as const);
  const host = new HostNetwork(new MemoryNetwork(), 1);
  const state = stateOf(POD);
  const local = new LocalWorkload(state, host, NAME, reject);
  const got: (string | null)[] = [];
  assert.deepEqual([local.current], [null]);
  local.wait((found) => got.push(found?.name ?? null));
  host.memory.advance(10_000);
  assert.deepEqual(got, [null]);
  assert.equal(host.held.timers, 0);
  const sofar = checks;
  assert.ok(sofar >= 20 && sofar <= 22, `${sofar} checks`);
  host.memory.advance(60_000);
  assert.equal(checks, sofar);
  local.wait(() => assert.fail("called after the end"));
  local.close();
  assert.equal(host.held.timers, 0);
});

Deno.test("a DNS question waits for 1 s where the workload is rejected, and not at all while the control plane is away", () => {
  const host = new HostNetwork(new MemoryNetwork(), 1);
  const state = new MeshState();
  const local = new LocalWorkload(state, host, NAME, () => ({ kind: "unknown", reason: "another address" }));
  assert.deepEqual([local.current, local.dnsWaitLimit], [null, 5000]);
  state.apply([POD]);
  assert.deepEqual([local.current, local.dnsWaitLimit], [null, 1000]);
  const got: (string | null)[] = [];
  local.wait((found) => got.push(found?.name ?? null), local.dnsWaitLimit);
  host.memory.advance(1000);
  assert.deepEqual(got, [null]);
  state.setFreshness("stale");
  assert.equal(local.dnsWaitLimit, 0);
  local.close();
});

Deno.test("when the control plane answers again, the workload is checked again", () => {
  const host = new HostNetwork(new MemoryNetwork(), 1);
  const state = stateOf(POD);
  state.setFreshness("stale");
  const local = new LocalWorkload(state, host, NAME, (found) => {
    const served = state.freshness === "stale";
    return served ? { kind: "known", workload: found! } : { kind: "unknown", reason: "it is another one" };
  });
  assert.equal(local.current?.name, "pod");
  state.setFreshness("current");
  assert.equal(local.current, null);
});
