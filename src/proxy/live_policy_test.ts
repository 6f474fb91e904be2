/**
 * Changes of the mesh while connections are open, and which connections they end (`docs/spec/xds-state.md` 5.7, 8.1
 * Q11). Each case has a connection by HBONE and a captured plain one, with the same result for both.
 */
import { strict as assert } from "node:assert";
import { rawClient } from "../hbone/testkit/peer.ts";
import type { MeshChange } from "../mesh/model/changes.ts";
import { EMPTY_MATCH, keyOfPolicy, type Match, type Policy, policyKey, type Workload } from "../mesh/model/model.ts";
import { at, echo, type NodeOptions, Testbed, workloadAt } from "../dataplane/testkit/testbed.ts";

const PEER_IP = "10.0.0.1", SERVER_IP = "10.0.0.2", PORT = 8080;
const PEER = "spiffe://cluster.local/ns/default/sa/peer";
const SERVER_UID = "Kubernetes//Pod/default/server";

const TO_APP: Partial<Match> = { destinationPorts: [PORT] };
const TO_OTHERS: Partial<Match> = { destinationPorts: [1] };

function policy(action: Policy["action"], name: string, match: Partial<Match>, more: Partial<Policy> = {}): MeshChange {
  const rules = [[[{ ...EMPTY_MATCH, ...match }]]];
  const value: Policy = { name, namespace: "default", scope: "Namespace", action, dryRun: false, rules, ...more };
  return { kind: "policy", key: keyOfPolicy(value), policy: value };
}

const allow = (name: string, match: Partial<Match>, more?: Partial<Policy>) => policy("Allow", name, match, more);
const deny = (name: string, match: Partial<Match>, more?: Partial<Policy>) => policy("Deny", name, match, more);
const SELECTOR: Partial<Policy> = { scope: "WorkloadSelector" };
const policyRemoved = (name: string): MeshChange => ({ kind: "remove-policy", key: policyKey(`default/${name}`) });
const removed = (name: string): MeshChange => ({ kind: "remove-address", name });

function server(words: Partial<Workload> = {}, ip = SERVER_IP): MeshChange {
  return workloadAt("server", ip, { protocol: "HBONE", ...words });
}

const naming = (...names: string[]) => ({ authorizationPolicies: names.map((name) => policyKey(`default/${name}`)) });

interface Case {
  /** The mesh when the connections are made; by default the workload names no policy. */
  readonly before?: readonly MeshChange[];
  /** Batches, each applied as a whole. */
  readonly then: readonly (readonly MeshChange[])[];
  readonly ends: boolean;
}

const CASES: Readonly<Record<string, Case>> = {
  "a policy is added": { then: [[deny("d", TO_APP)]], ends: true },
  "a policy is added that is about others": { then: [[deny("d", TO_OTHERS)], [allow("a", TO_APP)]], ends: false },
  "a policy is changed": { before: [deny("d", TO_OTHERS)], then: [[deny("d", TO_APP)]], ends: true },
  "a policy on trial is enforced": {
    before: [deny("d", TO_APP, { dryRun: true })],
    then: [[deny("d", TO_APP)]],
    ends: true,
  },
  "a selector policy becomes one of the namespace": {
    before: [deny("d", TO_APP, SELECTOR)],
    then: [[deny("d", TO_APP)]],
    ends: true,
  },
  "the last policy that allows goes, another remains, X293": {
    before: [allow("a", TO_APP), allow("b", TO_OTHERS)],
    then: [[policyRemoved("a")]],
    ends: true,
  },
  "all policies that allow are removed": { before: [allow("a", TO_APP)], then: [[policyRemoved("a")]], ends: false },
  "the workload names a policy that denies": {
    before: [deny("d", TO_APP, SELECTOR)],
    then: [[server(naming("d"))]],
    ends: true,
  },
  "the workload names a policy that is not there, which comes": {
    then: [[server(naming("d"))], [deny("d", TO_APP, SELECTOR)]],
    ends: true,
  },
  "policy and workload in one batch": { then: [[server(naming("d")), deny("d", TO_APP, SELECTOR)]], ends: true },
  "the workload does not name the policy any more that allowed": {
    before: [allow("a", TO_APP, SELECTOR), allow("b", TO_OTHERS, SELECTOR), server(naming("a", "b"))],
    then: [[server(naming("b"))]],
    ends: true,
  },
  "the workload does not name a policy any more that denied others": {
    before: [deny("d", TO_OTHERS, SELECTOR), server(naming("d"))],
    then: [[server()]],
    ends: false,
  },
  "a policy that the workload names is deleted": {
    before: [deny("d", TO_OTHERS, SELECTOR), server(naming("d"))],
    then: [[policyRemoved("d")]],
    ends: false,
  },
  "the workload moves to a namespace whose policies deny": {
    before: [deny("d", TO_APP, { namespace: "locked" })],
    then: [[server({ namespace: "locked" })]],
    ends: true,
  },
  "the workload's account and trust domain change": {
    before: [deny("d", TO_OTHERS)],
    then: [[server({ serviceAccount: "another", trustDomain: "example.org" })]],
    ends: false,
  },
  "the workload is sent again as it was": { then: [[server()], [server({ capacity: 7 })]], ends: false },
  "the workload is removed": { then: [[removed(SERVER_UID)]], ends: false },
  "the workload goes and comes back with a policy that denies": {
    before: [deny("d", TO_APP, SELECTOR)],
    then: [[removed(SERVER_UID)], [server(naming("d"))]],
    ends: true,
  },
  "the workload goes, then a policy of its namespace denies": {
    then: [[removed(SERVER_UID)], [deny("d", TO_APP)]],
    ends: true,
  },
  "the caller's workload goes: the certificate says who it is": {
    before: [workloadAt("peer", PEER_IP), allow("a", TO_APP)],
    then: [[removed("Kubernetes//Pod/default/peer")]],
    ends: false,
  },
  "another workload gets the server's address, with a policy that denies": {
    before: [deny("d", TO_APP, SELECTOR)],
    then: [[workloadAt("thief", SERVER_IP, naming("d"))], [server({}, "10.0.0.77")]],
    ends: false,
  },
  "a service with the same workload comes and goes": {
    before: [deny("d", TO_OTHERS)],
    then: [[removed("default/some.example.com")]],
    ends: false,
  },
};

/** A node with both connections open. `more`: of the node. */
function open(before: readonly MeshChange[] = [], more: NodeOptions = {}) {
  const bed = new Testbed();
  const node = bed.node("server", SERVER_IP, more);
  bed.listen(`${SERVER_IP}:${PORT}`, echo);
  node.plane.applyMesh(before);
  const peer = rawClient(bed.host(PEER_IP), at(`${SERVER_IP}:15008`), bed.context(PEER));
  const stream = peer.open([[":method", "CONNECT"], [":authority", `${SERVER_IP}:${PORT}`]]);
  bed.run();
  const plain = bed.connect(PEER_IP, `${SERVER_IP}:${PORT}`);
  assert.deepEqual(stream.headers?.[0], [":status", "200"]);
  return { bed, node, peer, stream, plain };
}

for (const [what, { before, then, ends }] of Object.entries(CASES)) {
  Deno.test(`xds 5.7, 8.1 Q11: ${what}: live connections ${ends ? "end" : "continue"}`, () => {
    const { bed, node, peer, stream, plain } = open(before);
    for (const batch of then) {
      node.plane.applyMesh(batch);
      bed.run();
    }
    assert.deepEqual([stream.failure !== null, plain.fate], ends ? [true, "reset"] : [false, "open"]);
    const lines = node.access.filter((line) => line.endsWith(`error="connection closed due to policy change"`));
    assert.equal(lines.length, ends ? 2 : 0, node.access.join("\n"));
    plain.reset();
    peer.close();
    bed.assertClean();
  });
}

Deno.test("xds X291: a policy in dry run that would end live connections is logged for each, and not counted again", () => {
  const { bed, node, peer, plain } = open([], { env: { AUTHZ_POLICY_INFO_LOGGING: "true" } });
  const before = node.lines.length;
  node.plane.applyMesh([deny("trial", TO_APP, { dryRun: true })]);
  bed.run();
  const lines = node.lines.slice(before).filter((line) => line.includes("dry-run"));
  assert.equal(lines.length, 2, node.lines.join("\n"));
  for (const line of lines) {
    assert.match(line, /^info state:inbound\S* .*dry-run: deny policy match policy="default\/trial"$/);
  }
  const counted = node.metrics.snapshot().cells.filter(({ family }) => family === "istio_policy_dry_run");
  assert.deepEqual(counted.filter(({ value }) => value > 0), []);
  plain.reset();
  peer.close();
  bed.assertClean();
});
