import { strict as assert } from "node:assert";
import fc from "fast-check";
import type { MeshChange } from "../model/changes.ts";
import {
  ip,
  policy,
  ports,
  seededRandom,
  service,
  stateOf,
  workload,
  type WorkloadFields,
} from "../testkit/fixture.ts";
import { type NamespacedHostname, policyKey, workloadUid } from "../model/model.ts";
import { ServiceEntry } from "./service_entry.ts";
import { MeshState } from "./state.ts";
import { findUpstream } from "../resolve/upstream_choice.ts";

const KEY = "ns/svc1.ns.svc.cluster.local" as NamespacedHostname;
const HOST = "svc1.ns.svc.cluster.local";

function podUid(address: string): string {
  return `cluster1//v1/Pod/default/my-pod/${address}`;
}

function pod(name: string, address: string, fields: WorkloadFields = {}): MeshChange {
  return workload({ uid: podUid(address), name, namespace: "default", ips: [address], ...fields });
}

const IN_SERVICE = { services: { [KEY]: { 80: 8080 } } };
const SVC1 = service({ namespace: "ns", hostname: HOST, vips: ["/127.0.1.1"], ports: { 80: 80 }, canonical: true });
const SVC1_TWO_VIPS = service({
  namespace: "ns",
  hostname: HOST,
  vips: ["/127.0.1.1", "/127.0.1.2"],
  ports: { 80: 80 },
  canonical: true,
});

/** Names of the workloads that connections to 127.0.1.1:80 get. */
function reachable(state: MeshState): string[] {
  const random = seededRandom();
  const source = workload({ name: "client", namespace: "default" }).workload;
  const names = new Set<string>();
  for (let i = 0; i < 1000; i++) {
    const found = findUpstream(state, "", source, { ip: ip("127.0.1.1"), port: 80 }, "standard", random, null);
    if (found !== null) names.add(found.workload.name);
  }
  return [...names].sort();
}

function counts(state: MeshState): string {
  const { vips, services, staged } = state.sizes;
  return `${vips}/${services}/${staged}`;
}

Deno.test("xds X74 to X88: workloads and a service come and go", () => {
  const state = new MeshState("local-node");
  const found = () => state.findAddress("", ip("127.0.0.1"), null);
  const remove = (name: string) => state.apply([{ kind: "remove-address", name }]);
  const sameViews = () =>
    assert.equal(state.serviceByHostname(HOST, null), state.serviceByVip("", ip("127.0.1.1"), null));

  state.apply([pod("some name", "127.0.0.1")]); // X74
  assert.equal(counts(state), "0/0/0");
  assert.equal(state.sizes.addresses, 1);
  remove("/invalid"); // X75
  assert.notEqual(found(), null);
  remove(podUid("127.0.0.2")); // X76
  assert.notEqual(found(), null);
  remove(podUid("127.0.0.1")); // X77
  assert.equal(found(), null);
  assert.equal(state.sizes.addresses, 0);
  assert.equal(state.sizes.workloads, 0);
  state.apply([pod("some name", "127.0.0.1", IN_SERVICE)]); // X78
  assert.equal(counts(state), "0/0/1");
  state.apply([SVC1]); // X79
  assert.equal(counts(state), "1/1/0");
  state.apply([SVC1_TWO_VIPS]); // X80
  assert.equal(counts(state), "2/1/0");
  sameViews();
  state.apply([SVC1]); // X81
  assert.equal(counts(state), "1/1/0");
  state.apply([pod("some name2", "127.0.0.2", IN_SERVICE)]); // X82
  assert.equal(counts(state), "1/1/0");
  assert.deepEqual(reachable(state), ["some name", "some name2"]);
  sameViews();
  remove(podUid("127.0.0.2")); // X83
  assert.deepEqual(reachable(state), ["some name"]);
  sameViews();
  remove(podUid("127.0.0.1")); // X84
  assert.deepEqual(reachable(state), []);
  state.apply([pod("some name", "127.0.0.1", IN_SERVICE), pod("some name2", "127.0.0.2", IN_SERVICE)]); // X85
  assert.deepEqual(reachable(state), ["some name", "some name2"]);
  state.apply([pod("some name", "127.0.0.1")]); // X86
  assert.deepEqual(reachable(state), ["some name2"]);
  state.apply([pod("some name2", "127.0.0.2", { ...IN_SERVICE, status: "Unhealthy" })]); // X87
  assert.deepEqual(reachable(state), []);
  remove(KEY); // X88
  assert.equal(counts(state), "0/0/0");
});

Deno.test("xds X89 to X91: a pod and a WorkloadEntry with one address", () => {
  const podOnly = workload({ uid: "cluster1//Pod/default/my-pod/a", name: "pod", ips: ["10.0.0.1"] });
  const entry = workload({
    uid: "cluster1/networking.istio.io/WorkloadEntry/default/we",
    name: "we",
    ips: ["10.0.0.1"],
  });
  const state = stateOf(podOnly, entry, podOnly);
  const owner = () => state.workloadByAddress("", ip("10.0.0.1"))?.name ?? null;
  assert.equal(state.sizes.addresses, 1);
  assert.equal(state.sizes.workloads, 2);
  assert.equal(owner(), "pod");
  state.apply([{ kind: "remove-address", name: podOnly.workload.uid }]);
  assert.equal(owner(), "we");
  state.apply([{ kind: "remove-address", name: entry.workload.uid }]);
  assert.equal(owner(), null);
  assert.deepEqual([state.sizes.addresses, state.sizes.workloads], [0, 0]);
});

Deno.test("xds X92 to X94: the workload that gets a shared address", () => {
  const at = { ips: ["10.0.0.1"] };
  const one = workload({ uid: "one", ...at });
  const two = workload({ uid: "two", ...at });
  const hbone = workload({ uid: "hbone", protocol: "HBONE", ...at });
  const tcpPod = workload({ uid: "c//Pod/ns/p", ...at });
  const hbonePod = workload({ uid: "c//Pod/ns/h", protocol: "HBONE", ...at });
  const winner = (...changes: MeshChange[]) => stateOf(...changes).workloadByAddress("", ip("10.0.0.1"))!.uid;
  assert.equal(winner(one, two), "two");
  assert.equal(winner(two, one), "one");
  assert.equal(winner(hbone, one), "hbone");
  assert.equal(winner(one, hbone), "hbone");
  assert.equal(winner(tcpPod, hbone), "c//Pod/ns/p");
  assert.equal(winner(hbone, tcpPod), "c//Pod/ns/p");
  assert.equal(winner(hbonePod, tcpPod), "c//Pod/ns/h");
});

const HEALTH_KEYS = { "ns/normal": { 80: 80 }, "ns/unhealthy-too": { 80: 80 } };
const ALLOW_ALL = { routingPreferences: [], mode: "Standard", healthPolicy: "AllowAll" } as const;
const HEALTHY = workload({ uid: "healthy", ips: ["10.0.0.1"], services: HEALTH_KEYS });
const UNHEALTHY = workload({ uid: "unhealthy", ips: ["10.0.0.2"], status: "Unhealthy", services: HEALTH_KEYS });
const NORMAL = service({ namespace: "ns", hostname: "normal" });
const UNHEALTHY_TOO = service({ namespace: "ns", hostname: "unhealthy-too", loadBalancer: ALLOW_ALL });

function endpoints(state: MeshState, key: string): string[] {
  return [...state.service(key as NamespacedHostname)?.endpoints.keys() ?? []];
}

Deno.test("xds X95 to X99, X25: health is checked when an endpoint is added", () => {
  const state = stateOf(HEALTHY, UNHEALTHY);
  assert.equal(state.sizes.staged, 2); // X95
  state.apply([NORMAL, UNHEALTHY_TOO]); // X96
  assert.deepEqual(endpoints(state, "ns/normal"), ["healthy"]);
  assert.deepEqual(endpoints(state, "ns/unhealthy-too"), ["healthy", "unhealthy"]);
  const other = stateOf(NORMAL, UNHEALTHY_TOO, HEALTHY, UNHEALTHY); // X97
  assert.equal(endpoints(other, "ns/unhealthy-too").length, 2);
  assert.equal(endpoints(other, "ns/normal").length, 1);
  state.apply([service({ namespace: "ns", hostname: "unhealthy-too" })]); // X98
  assert.deepEqual(endpoints(state, "ns/unhealthy-too"), ["healthy"]);
  state.apply([UNHEALTHY_TOO]); // X99
  assert.deepEqual(endpoints(state, "ns/unhealthy-too"), ["healthy"]);
  state.apply([UNHEALTHY]);
  assert.equal(endpoints(state, "ns/unhealthy-too").length, 2);
});

Deno.test("xds X100 to X102: endpoints that arrive before their service", () => {
  const state = new MeshState();
  const without = workload({ uid: "healthy", ips: ["10.0.0.1"] });
  for (const [change, staged] of [[HEALTHY, 2], [without, 0], [HEALTHY, 2]] as const) { // X100
    state.apply([change]);
    assert.equal(state.sizes.staged, staged);
  }
  state.apply([{ kind: "remove-address", name: "healthy" }]);
  assert.equal(state.sizes.staged, 0);

  const mixed = stateOf(HEALTHY, UNHEALTHY, NORMAL); // X101
  assert.deepEqual(endpoints(mixed, "ns/normal"), ["healthy"]);
  assert.deepEqual([...mixed.staged.keys()], ["ns/unhealthy-too"]);

  const two = stateOf(HEALTHY, UNHEALTHY); // X102
  for (const [name, left] of [["healthy", 2], ["unhealthy", 0], ["nobody", 0]] as const) {
    two.apply([{ kind: "remove-address", name }]);
    assert.equal(two.sizes.staged, left);
  }
});

Deno.test("xds X103, X104: a workload that is sent again in one batch", () => {
  const at = (map: Record<number, number>, fields: WorkloadFields = {}) =>
    workload({ uid: "ep1", ips: ["10.0.0.1"], services: { "ns/normal": map }, ...fields });
  const gone = stateOf(NORMAL, at({ 80: 8080 }));
  gone.apply([{ kind: "remove-address", name: "ep1" }, at({ 80: 8080 }, { status: "Unhealthy" })]);
  assert.deepEqual(endpoints(gone, "ns/normal"), []);
  const moved = stateOf(NORMAL, at({ 80: 8080 }));
  moved.apply([{ kind: "remove-address", name: "ep1" }, at({ 90: 9090 })]);
  assert.deepEqual(moved.service(NORMAL.service.key)!.endpoints.get(workloadUid("ep1"))!.ports, ports({ 90: 9090 }));
});

Deno.test("xds X105 to X109: batches in any order", () => {
  const pods = Array.from(
    { length: 50 },
    (_, i) => workload({ uid: `w${i}`, ips: [`10.0.0.${i}`], services: { "ns/normal": { 80: 80 } } }),
  );
  const state = new MeshState();
  state.apply([...pods.slice(0, 25), NORMAL, ...pods.slice(25)]); // X105
  assert.deepEqual([endpoints(state, "ns/normal").length, state.sizes.staged], [50, 0]);
  assert.equal(endpoints(stateOf(NORMAL, ...pods.slice(0, 10)), "ns/normal").length, 10); // X106
  const mixed = stateOf(NORMAL, pods[0]!, UNHEALTHY, pods[1]!); // X107
  assert.equal(endpoints(mixed, "ns/normal").length, 2);
  mixed.apply([{ kind: "remove-address", name: "w0" }]); // X109
  assert.deepEqual(endpoints(mixed, "ns/normal"), ["w1"]);
});

Deno.test("xds 8.1 Q6: a uid that is updated and removed in one batch leaves no endpoint", () => {
  const state = stateOf(NORMAL);
  state.apply([HEALTHY, { kind: "remove-address", name: "healthy" }]);
  assert.deepEqual(endpoints(state, "ns/normal"), []);
  state.apply([HEALTHY, workload({ uid: "healthy", ips: ["10.0.0.1"], services: { "ns/other": { 80: 80 } } })]);
  assert.deepEqual(endpoints(state, "ns/normal"), []);
  assert.deepEqual([...state.staged.keys()], ["ns/other"]);
});

Deno.test("xds 3.4: a service that was removed and added again has no endpoints", () => {
  const state = stateOf(NORMAL, HEALTHY);
  state.apply([{ kind: "remove-address", name: "ns/normal" }]);
  state.apply([NORMAL]);
  assert.deepEqual(endpoints(state, "ns/normal"), []);
  state.apply([HEALTHY]);
  assert.deepEqual(endpoints(state, "ns/normal"), ["healthy"]);
});

Deno.test("xds 3.3: warnings for the removal of unknown names", () => {
  const state = new MeshState();
  const remove = (name: string) => state.apply([{ kind: "remove-address", name }]);
  assert.deepEqual(remove("nothing"), [
    "tried to remove service but it did not have the expected namespace/hostname format",
  ]);
  assert.deepEqual(remove("ns/gone"), ["tried to remove service, but it was not found"]);
  assert.deepEqual(remove("c//Pod/ns/gone"), []);
  assert.deepEqual(remove("/10.9.9.9"), []);
});

Deno.test("xds X138 to X141, X145, X146: lookups", () => {
  const state = stateOf(
    workload({ uid: "w", ips: ["127.0.0.1"] }),
    service({ namespace: "default", hostname: "defaulthost", vips: ["/127.0.10.1", "/127.0.0.1"], ports: { 80: 80 } }),
    workload({ uid: "named", namespace: "n", hostname: "h" }),
    workload({ uid: "later", namespace: "n", hostname: "h" }),
  );
  const key = (text: string) => text as NamespacedHostname;
  assert.equal(state.findAddress("", ip("127.0.0.1"), null), state.workload(workloadUid("w"))); // X138, X145
  assert.ok(state.findHostname(key("default/defaulthost")) instanceof ServiceEntry); // X139
  assert.equal(state.findAddress("", ip("127.0.0.2"), null), null); // X140
  assert.equal(state.findHostname(key("default/nothost")), null); // X141
  assert.equal(state.findHostname(key("n/h")), state.workload(workloadUid("named"))); // X146
  state.apply([{ kind: "remove-address", name: "named" }]);
  assert.equal(state.findHostname(key("n/h")), state.workload(workloadUid("later")));
});

Deno.test("dataplane SEL-16, xds X142 to X144: waiting for the local workload", () => {
  const state = new MeshState("local-node");
  const find = () => state.findLocalWorkload("right", "ns", "sa");
  const seen: (string | null)[] = [];
  const stop = state.subscribe({ localWorkloadsChanged: () => seen.push(find()?.name ?? null) });
  const fields = { namespace: "ns", serviceAccount: "sa", node: "local-node" };
  state.apply([workload({ name: "wrong", ...fields })]);
  state.apply([workload({ name: "right", ...fields, node: "other-node" })]);
  state.apply([workload({ name: "right", ...fields, uid: "x" })]);
  stop();
  state.apply([workload({ name: "another", ...fields })]);
  assert.deepEqual(seen, [null, "right"]);
});

Deno.test("listeners are called once per batch when workloads of this node were added, changed or removed", () => {
  const at = (uid: string, node: string) => workload({ uid, namespace: "ns", serviceAccount: "sa", node });
  const state = stateOf(at("remote", "other"), at("a", "local-node"), at("b", "local-node"));
  let heard = 0;
  state.subscribe({ localWorkloadsChanged: () => heard++ });
  const count = (...changes: MeshChange[]) => {
    const before = heard;
    state.apply(changes);
    return heard - before;
  };
  assert.equal(count({ kind: "remove-address", name: "remote" }), 0);
  assert.equal(count({ kind: "remove-address", name: "a" }, at("c", "local-node")), 1);
  assert.equal(count(at("b", "other")), 1, "it moved away");
  assert.equal(count({ kind: "clear" }), 1);
});

Deno.test("xds 3.7: listeners are called once per batch when policies changed, after the batch", () => {
  const state = new MeshState();
  const heard: number[] = [];
  state.subscribe({ policiesChanged: () => heard.push([...state.policies()].length) });
  state.apply([policy({ name: "a" }), policy({ name: "b" }), HEALTHY]);
  state.apply([HEALTHY]);
  state.apply([{ kind: "remove-policy", key: policyKey("ns/a") }]);
  assert.deepEqual(heard, [2, 1]);
});

Deno.test("xds X269: a policy that changes its scope", () => {
  const state = stateOf(policy({ name: "p" }));
  assert.deepEqual(state.policyKeysOfNamespace("ns"), ["ns/p"]);
  state.apply([policy({ name: "p", scope: "WorkloadSelector" })]);
  assert.deepEqual(state.policyKeysOfNamespace("ns"), []);
});

Deno.test("xds 2.14: clear removes everything", () => {
  const state = stateOf(HEALTHY, NORMAL, policy({}), service({ namespace: "ns", hostname: "x", vips: ["/10.0.0.9"] }));
  state.apply([{ kind: "clear" }]);
  assert.deepEqual(state.sizes, { workloads: 0, addresses: 0, services: 0, vips: 0, cidrVips: 0, staged: 0 });
  assert.deepEqual([...state.policies()], []);
});

Deno.test("config 2: endpoints that a static service lists itself stay when the workload changes", () => {
  const uid = workloadUid("w");
  const listed = { ...NORMAL, endpoints: [{ workloadUid: uid, ports: ports({ 80: 81 }), status: "Healthy" as const }] };
  const state = stateOf(listed);
  assert.deepEqual(endpoints(state, "ns/normal"), ["w"]);
  state.apply([workload({ uid: "w", ips: ["10.0.0.1"] })]);
  assert.deepEqual(endpoints(state, "ns/normal"), ["w"]);
});

const CHANGES: readonly MeshChange[] = [
  ...["a", "b"].flatMap((uid) => [
    workload({ uid, ips: ["10.0.0.1"], hostname: uid, services: HEALTH_KEYS }),
    workload({ uid, ips: ["10.0.0.1", "10.0.0.2"], status: "Unhealthy", services: { "ns/normal": { 80: 80 } } }),
    workload({ uid, ips: ["10.0.0.2"], networkMode: "HostNetwork" }),
    { kind: "remove-address", name: uid } as const,
  ]),
  NORMAL,
  UNHEALTHY_TOO,
  service({ namespace: "ns", hostname: "normal", vips: ["/10.1.0.1"], ports: { 80: 80 } }),
  service({ namespace: "ns", hostname: "normal", cidrVips: [{ network: "", cidr: "10.1.0.0/16" as never }] }),
  { kind: "remove-address", name: "ns/normal" },
  { kind: "remove-address", name: "ns/unhealthy-too" },
];

Deno.test("after any sequence of changes, removing everything leaves an empty state", () => {
  fc.assert(fc.property(fc.array(fc.constantFrom(...CHANGES), { maxLength: 40 }), (changes) => {
    const state = stateOf(...changes);
    for (const entry of state.services()) {
      for (const [uid, endpoint] of entry.endpoints) assert.ok(state.workload(uid), `dangling ${uid} ${endpoint}`);
    }
    state.apply(["a", "b", "ns/normal", "ns/unhealthy-too"].map((name) => ({ kind: "remove-address", name })));
    assert.deepEqual(state.sizes, { workloads: 0, addresses: 0, services: 0, vips: 0, cidrVips: 0, staged: 0 });
  }));
});
