/** Policies and live connections: evaluated again when policies change (`docs/spec/dataplane.md` 5.3; observed.md O13). */
import { strict as assert } from "node:assert";
import { rawClient, type RawPeer } from "../hbone/testkit/peer.ts";
import type { StreamLog } from "../h2/testkit/pair.ts";
import { ErrorCode, type HeaderList } from "../h2/seam.ts";
import { EMPTY_MATCH, keyOfPolicy, type Policy, policyKey } from "../mesh/model/model.ts";
import type { MeshChange } from "../mesh/model/changes.ts";
import { at, echo, type NodeOptions, Testbed, type TestNode, workloadAt } from "../dataplane/testkit/testbed.ts";

const CLIENT = "10.0.0.1", SERVER = "10.0.0.2";
const PEER = "spiffe://cluster.local/ns/default/sa/peer";

function denyPort(port: number, name = "deny"): MeshChange {
  const policy: Policy = {
    name,
    namespace: "default",
    scope: "Namespace",
    action: "Deny",
    dryRun: false,
    rules: [[[{ ...EMPTY_MATCH, destinationPorts: [port] }]]],
  };
  return { kind: "policy", key: keyOfPolicy(policy), policy };
}

interface Scene {
  readonly bed: Testbed;
  readonly server: TestNode;
  readonly peer: RawPeer;
}

function scene(options: NodeOptions = {}): Scene {
  const bed = new Testbed();
  const server = bed.node("server", SERVER, options);
  bed.listen(`${SERVER}:8080`, echo);
  bed.listen(`${SERVER}:9090`, echo);
  return { bed, server, peer: rawClient(bed.host(CLIENT), at(`${SERVER}:15008`), bed.context(PEER)) };
}

function open({ bed, peer }: Scene, port: number): StreamLog {
  const headers: HeaderList = [[":method", "CONNECT"], [":authority", `${SERVER}:${port}`]];
  const stream = peer.open(headers);
  bed.run();
  return stream;
}

function assertEnds({ bed, peer }: Scene): void {
  peer.close();
  bed.assertClean();
}

const CUT = /^error connection complete .* error="connection closed due to policy change"$/;

Deno.test("dataplane 5.3 a live stream that is no longer allowed: RST_STREAM(CONNECT_ERROR), DENY; its connection and other streams continue", () => {
  const here = scene();
  const { bed, server } = here;
  const denied = open(here, 8080), allowed = open(here, 9090);
  server.plane.applyMesh([denyPort(8080)]);
  bed.run();
  assert.deepEqual(denied.events.slice(1), [`reset peer ${ErrorCode.CONNECT_ERROR}`]);
  assert.match(server.accessLine, CUT);
  assert.match(
    server.lines.at(-2)!,
    /^info proxy::connection_manager:inbound\{id=[0-9a-f]{32} peer=10\.0\.0\.1:\d+\} connection 10\.0\.0\.1:\d+\(spiffe:.*\/sa\/peer\)->10\.0\.0\.2:8080 \(Kubernetes\/\/Pod\/default\/server\) closed because it's no longer allowed after a policy update decision="deny policy match" policy="default\/deny"$/,
  );
  assert.deepEqual(server.traffic.failed, { DENY: 1 });
  assert.equal(allowed.failure, null);
  assert.deepEqual(open(here, 8080).headers, [[":status", "401"]]);
  assertEnds(here);
});

Deno.test("dataplane 5.3 a call that policies end is reset on both sides; the server's log has the reason", () => {
  const bed = new Testbed();
  const client = bed.node("client", CLIENT), server = bed.node("server", SERVER);
  const apps = bed.listen(`${SERVER}:8080`, echo);
  const socket = bed.connect(CLIENT, `${SERVER}:8080`);
  socket.send("x");
  bed.run();
  server.plane.applyMesh([denyPort(8080)]);
  bed.run();
  assert.equal(socket.text, "x");
  assert.equal(socket.fate, "reset");
  assert.equal(apps[0]!.fate, "reset");
  assert.match(client.accessLine, /^info .* duration="0ms"$/);
  assert.match(server.accessLine, CUT);
  bed.assertClean();
});

Deno.test("dataplane 5.3 captured plain connections are cut too", () => {
  const bed = new Testbed();
  const server = bed.node("server", SERVER);
  const apps = bed.listen(`${SERVER}:8080`, echo);
  const socket = bed.connect(CLIENT, `${SERVER}:8080`);
  server.plane.applyMesh([denyPort(8080)]);
  bed.run();
  assert.equal(socket.fate, "reset");
  assert.equal(apps[0]!.fate, "reset");
  assert.match(server.accessLine, CUT);
  assert.match(server.lines.at(-2)!, /connection 10\.0\.0\.1:\d+\(None\)->10\.0\.0\.2:8080 /);
  bed.assertClean();
});

Deno.test("dataplane 1.8 6 a captured plain connection that is not allowed is closed without a byte", () => {
  const bed = new Testbed();
  const server = bed.node("server", SERVER);
  bed.apply(denyPort(8080));
  const apps = bed.listen(`${SERVER}:8080`, echo);
  const socket = bed.connect(CLIENT, `${SERVER}:8080`);
  assert.equal(socket.fate, "reset");
  assert.deepEqual(apps, []);
  assert.match(
    server.accessLine,
    /error="connection closed due to policy rejection: explicitly denied by: default\/deny"$/,
  );
  assert.deepEqual(server.traffic.closed, { DENY: 1 });
  bed.assertClean();
});

Deno.test("a stream that is cut while its application is dialled: the dial ends, the record has the reason", () => {
  const here = scene();
  const { bed, server } = here;
  bed.memory.blackhole(at(`${SERVER}:8080`));
  const stream = open(here, 8080);
  assert.equal(server.held.dials, 1);
  server.plane.applyMesh([denyPort(8080)]);
  bed.run();
  assert.equal(server.held.dials, 0);
  assert.deepEqual(stream.events, [`reset peer ${ErrorCode.CONNECT_ERROR}`]);
  assert.match(server.accessLine, CUT);
  assertEnds(here);
});

Deno.test("dataplane CM-05 a Deny policy without rules matches nothing and closes nothing", () => {
  const here = scene();
  const { bed, server } = here;
  const stream = open(here, 8080);
  const change = denyPort(8080) as MeshChange & { kind: "policy" };
  server.plane.applyMesh([{ ...change, policy: { ...change.policy, rules: [] } }]);
  bed.run();
  assert.equal(stream.failure, null);
  assert.equal(server.pod.connectionCount, 2);
  assertEnds(here);
});

Deno.test("dataplane 5.3 5 policies do not apply to outbound connections", () => {
  const bed = new Testbed();
  const client = bed.node("client", CLIENT);
  bed.node("server", SERVER);
  bed.listen(`${SERVER}:8080`, echo);
  const socket = bed.connect(CLIENT, `${SERVER}:8080`);
  client.plane.applyMesh([denyPort(8080)]);
  bed.run();
  assert.equal(socket.fate, "open");
  socket.end();
  bed.run();
  bed.assertClean();
});

Deno.test("policies that change during a drain cut connections", () => {
  const here = scene();
  const { bed, server, peer } = here;
  const stream = open(here, 8080);
  server.drain(60_000);
  bed.run();
  server.plane.applyMesh([denyPort(8080)]);
  bed.run();
  assert.deepEqual(stream.events.slice(1), [`reset peer ${ErrorCode.CONNECT_ERROR}`]);
  assert.notEqual(peer.end, null, "the drained connection ends with its last stream");
  bed.run();
  assert.equal(server.drained, true);
});

function policyNamed(name: string, words: Partial<Policy>): MeshChange {
  const policy: Policy = {
    name,
    namespace: "default",
    scope: "WorkloadSelector",
    action: "Deny",
    dryRun: false,
    rules: [[[{ ...EMPTY_MATCH, destinationPorts: [8080] }]]],
    ...words,
  };
  return { kind: "policy", key: keyOfPolicy(policy), policy };
}

const NAMES = [policyKey("default/named")];

Deno.test("xds 8.1 Q11: another policy of a workload applies at once, to live connections too", () => {
  const here = scene();
  const { bed, server } = here;
  server.plane.applyMesh([policyNamed("named", {})]);
  const denied = open(here, 8080), allowed = open(here, 9090);
  assert.deepEqual(denied.headers?.[0], [":status", "200"]);
  server.plane.applyMesh([workloadAt("server", SERVER, { protocol: "HBONE", authorizationPolicies: NAMES })]);
  bed.run();
  assert.deepEqual(denied.events.slice(1), [`reset peer ${ErrorCode.CONNECT_ERROR}`]);
  assert.match(server.accessLine, CUT);
  assert.equal(allowed.failure, null);
  assertEnds(here);
});

Deno.test("observed O4: a policy that is named and has not arrived denies new calls and cuts none; when it arrives it applies", () => {
  const here = scene();
  const { bed, server } = here;
  const live = open(here, 8080), other = open(here, 9090);
  server.plane.applyMesh([workloadAt("server", SERVER, { protocol: "HBONE", authorizationPolicies: NAMES })]);
  bed.run();
  assert.equal(live.failure, null);
  assert.deepEqual(open(here, 9090).headers, [[":status", "401"]]);
  assert.match(
    server.accessLine,
    /error="connection closed due to policy rejection: policy is not known yet: default\/named"$/,
  );
  assert.ok(
    server.lines.some((line) => /^warn state:inbound\S* .*UNKNOWN_POLICIES=skip/.test(line)),
    server.lines.join("\n"),
  );
  server.plane.applyMesh([policyNamed("named", {})]);
  bed.run();
  assert.deepEqual(live.events.slice(1), [`reset peer ${ErrorCode.CONNECT_ERROR}`]);
  assert.equal(other.failure, null);
  assert.deepEqual(open(here, 9090).headers?.[0], [":status", "200"]);
  assertEnds(here);
});

Deno.test("xds X267: with UNKNOWN_POLICIES=skip a policy that has not arrived denies nothing", () => {
  const here = scene({ env: { UNKNOWN_POLICIES: "skip" }, workload: { authorizationPolicies: NAMES } });
  assert.deepEqual(open(here, 8080).headers?.[0], [":status", "200"]);
  assert.ok(here.server.lines.some((line) => line.endsWith("skipping unknown policy default/named")));
  assertEnds(here);
});

Deno.test("decisions of policies in dry run are counted for each policy", () => {
  const here = scene();
  const { server } = here;
  server.plane.applyMesh([
    policyNamed("trial-deny", { scope: "Namespace", dryRun: true }),
    policyNamed("trial-allow", { scope: "Namespace", dryRun: true, action: "Allow" }),
  ]);
  open(here, 8080);
  open(here, 8080);
  open(here, 9090);
  const counted = server.metrics.snapshot().cells.filter(({ family }) => family === "istio_policy_dry_run");
  assert.deepEqual(counted.map(({ labels, value }) => `${labels} ${value}`), [
    `policy="default/trial-deny",result="deny policy match" 2`,
    `policy="default/trial-allow",result="allow policy match" 2`,
    `policy="unknown",result="no allow policies match" 1`,
  ]);
  assertEnds(here);
});

Deno.test("config 6.6: decisions at info with AUTHZ_POLICY_INFO_LOGGING=true", () => {
  const here = scene({ env: { AUTHZ_POLICY_INFO_LOGGING: "true" } });
  open(here, 8080);
  assert.ok(here.server.lines.some((line) => /^info state:inbound\S* .*no allow policies, allow$/.test(line)));
  assertEnds(here);
});
