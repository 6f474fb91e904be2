/** The delta protocol against a scripted control plane (`docs/spec/xds-state.md` 7.5). */
import * as grpc from "@grpc/grpc-js";
import assert from "node:assert/strict";
import { istio } from "../testkit/gen/resources.js";
import { authorize } from "../src/mesh/policy/authorize.ts";
import type { PolicyKey, WorkloadUid } from "../src/mesh/model/model.ts";
import type { Ip } from "../src/net/address.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE } from "../src/xds/resources.ts";
import { ControlPlane } from "../testkit/control_plane.ts";
import { NODE_ID, TestClient } from "../testkit/control_plane_client.ts";
import type { AdsStream, ScriptedResource } from "../testkit/control_plane_stream.ts";
import { makeMesh, sizeOf } from "../testkit/mesh_resources.ts";
import { eventually } from "../lab/eventually.ts";
import { tempDir } from "../lab/temp_dir.ts";

function workload(uid: string, ip: readonly number[], version = "", aliases: readonly string[] = []): ScriptedResource {
  const address = { workload: { uid, name: uid, namespace: "ns", addresses: [Uint8Array.from(ip)] } };
  return { name: uid, version, aliases, body: istio.workload.Address.encode(address).finish() };
}

function policy(name: string, ports: readonly number[]): ScriptedResource {
  const body = istio.security.Authorization.encode({
    name,
    namespace: "",
    scope: istio.security.Scope.GLOBAL,
    action: istio.security.Action.DENY,
    rules: [{ clauses: [{ matches: [{ destinationPorts: [...ports] }] }] }],
  }).finish();
  return { name: `/${name}`, body };
}

/** Answers both first requests with nothing. */
async function settle(stream: AdsStream): Promise<void> {
  await stream.expectWildcards(NODE_ID);
  await stream.push(ADDRESS_TYPE, "a0", []);
  await stream.push(AUTHORIZATION_TYPE, "p0", []);
}

/** The payload of vector X54: no message. */
const BAD = Uint8Array.of(0xff);

Deno.test("xds X51: the first connection requests both types at once, with the node in each first request", async () => {
  await using plane = await ControlPlane.start();
  await using _client = new TestClient(plane.url);
  const stream = await plane.stream();
  await stream.expectWildcards(NODE_ID);
});

Deno.test("xds X52: on demand, the first connection requests no address", async () => {
  await using plane = await ControlPlane.start();
  const environment = { XDS_ON_DEMAND: "true", ISTIO_META_DNS_CAPTURE: "false" };
  await using _client = new TestClient(plane.url, { environment });
  const stream = await plane.stream();
  await stream.expect({ typeUrl: ADDRESS_TYPE, node: NODE_ID, subscribe: ["*"], unsubscribe: ["*"] });
  await stream.expect({ typeUrl: AUTHORIZATION_TYPE, node: NODE_ID });
});

Deno.test("xds X53: ready after both types, and their resources are applied", async () => {
  await using plane = await ControlPlane.start();
  await using client = new TestClient(plane.url);
  const stream = await plane.stream();
  await stream.expectWildcards(NODE_ID);
  await stream.push(AUTHORIZATION_TYPE, "1", [policy("deny-80", [80])]);
  assert.equal(client.ready, 0);
  await stream.push(ADDRESS_TYPE, "2", [workload("w", [1, 2, 3, 4])]);
  await eventually("readiness", () => client.ready === 1);
  const destination = client.mesh.workloadByAddress("", "1.2.3.4" as Ip);
  assert.ok(destination);
  const allowed = (port: number) => {
    const source = { ip: "9.9.9.9" as Ip, port: 1 };
    const target = { ip: "1.2.3.4" as Ip, port };
    return authorize(client.mesh, { destination, source, identity: null, target }).allow;
  };
  assert.deepEqual([allowed(80), allowed(81)], [false, true]);
});

Deno.test("xds X54, X55: a bad resource is refused by name; the others are applied, and only they are listed on the next stream", async () => {
  await using plane = await ControlPlane.start();
  await using client = new TestClient(plane.url);
  const stream = await plane.stream();
  await stream.expectWildcards(NODE_ID);
  const bad = { name: "bad", version: "9.9.9", body: BAD };
  stream.respond({ typeUrl: ADDRESS_TYPE, nonce: "1", resources: [workload("foo0", [1, 2, 3, 4], "0.0.1"), bad] });
  await stream.expectNack("1", /^bad: decode: /);
  assert.ok(client.mesh.workload("foo0" as WorkloadUid));
  const line = client.warnings.find((text) => text.includes("sending response"));
  assert.match(
    line ?? "",
    /^error xds::client:xds\{id=1\} sending response type_url=".*Address" nonce="1" type=Nack error="bad: decode: /,
  );
  stream.fail(grpc.status.UNKNOWN, "gone");
  const next = await plane.stream();
  await next.expectWildcards(NODE_ID, { foo0: "0.0.1" });
});

Deno.test("xds X56: a lookup is answered when all of a large response is applied", async () => {
  await using plane = await ControlPlane.start();
  const environment = { XDS_ON_DEMAND: "true", ISTIO_META_DNS_CAPTURE: "false" };
  await using client = new TestClient(plane.url, { environment });
  const stream = await plane.stream();
  await stream.request();
  await stream.request();
  const seen: [answer: string, last: boolean][] = [];
  client.client.lookUp("foo0", (answer) => {
    seen.push([answer, client.mesh.workload("foo9999" as WorkloadUid) !== null]);
  });
  await stream.expect({ typeUrl: ADDRESS_TYPE, subscribe: ["foo0"] });
  const many = Array.from({ length: 10_000 }, (_, i) => workload(`foo${i}`, [10, 0, i >> 8, i & 255]));
  await stream.push(ADDRESS_TYPE, "1", many);
  assert.deepEqual(seen, [["known", true]]);
  assert.ok(client.log.some((line) => line.endsWith(`received on demand request ${ADDRESS_TYPE}/foo0`)));
});

Deno.test("xds X57: an error ends the stream and does not change the mesh", async () => {
  await using plane = await ControlPlane.start();
  await using client = new TestClient(plane.url);
  const stream = await plane.stream();
  await settle(stream);
  await stream.push(ADDRESS_TYPE, "1", [workload("w", [1, 2, 3, 4], "v1")]);
  stream.fail(grpc.status.ABORTED, "no reason");
  const next = await plane.stream();
  await next.expectWildcards(NODE_ID, { w: "v1" });
  assert.ok(client.mesh.workload("w" as WorkloadUid));
  assert.deepEqual(client.terminations, { Error: 1 });
  await client.logged(
    /^warn xds::client:xds\{id=1\} XDS client error: gRPC error status: Aborted, .*retrying in 10ms$/,
  );
});

Deno.test("xds X58, X62: removal of an unknown name is acknowledged, with type and nonce only", async () => {
  await using plane = await ControlPlane.start();
  await using client = new TestClient(plane.url);
  const stream = await plane.stream();
  await settle(stream);
  stream.respond({ typeUrl: ADDRESS_TYPE, nonce: "7", removed: ["nobody", "ns/nobody.ns.svc.cluster.local"] });
  await stream.expect({ typeUrl: ADDRESS_TYPE, nonce: "7" });
  assert.deepEqual([...client.mesh.workloads()], []);
});

Deno.test("xds X59: a type that was not requested is acknowledged", async () => {
  await using plane = await ControlPlane.start();
  await using client = new TestClient(plane.url);
  const stream = await plane.stream();
  await settle(stream);
  stream.respond({ typeUrl: "type.example/Other", nonce: "n", resources: [{ name: "x", body: BAD }] });
  await stream.expectAck("n", "type.example/Other");
  assert.deepEqual(client.warnings, ['error xds::client:xds{id=1} unknown type type_url="type.example/Other"']);
  assert.equal(client.messages("istio_xds_message")["type.example/Other"], 1);
});

Deno.test("xds X60, X61: a refusal names invalid resources first, then those that cannot be decoded", async () => {
  await using plane = await ControlPlane.start();
  await using _client = new TestClient(plane.url);
  const stream = await plane.stream();
  await stream.expectWildcards(NODE_ID);
  const resources = [
    { name: "c", body: null },
    { name: "b", body: BAD },
    { name: "a", body: new Uint8Array() },
  ];
  stream.respond({ typeUrl: ADDRESS_TYPE, nonce: "1", resources });
  await stream.expectNack("1", /^a: unknown address type; b: decode: [^;]*; c: XDS payload without resource$/);
});

Deno.test("xds X63: after a refused update, the state before it stays and is listed on the next stream", async () => {
  await using plane = await ControlPlane.start();
  await using client = new TestClient(plane.url);
  const stream = await plane.stream();
  await settle(stream);
  await stream.push(ADDRESS_TYPE, "1", [workload("foo0", [1, 2, 3, 4], "v1")]);
  stream.respond({ typeUrl: ADDRESS_TYPE, nonce: "2", resources: [{ name: "foo0", version: "v2", body: BAD }] });
  await stream.expectNack("2", /^foo0: decode: /);
  assert.ok(client.mesh.workloadByAddress("", "1.2.3.4" as Ip));
  stream.end();
  await (await plane.stream()).expectWildcards(NODE_ID, { foo0: "v1" });
});

Deno.test("xds X64: a removed resource is not listed on the next stream", async () => {
  await using plane = await ControlPlane.start();
  await using client = new TestClient(plane.url);
  const stream = await plane.stream();
  await settle(stream);
  await stream.push(ADDRESS_TYPE, "1", [workload("foo0", [1, 2, 3, 4], "v1"), workload("foo1", [1, 2, 3, 5], "v1")]);
  await stream.push(AUTHORIZATION_TYPE, "2", [policy("deny-80", [80]), policy("deny-90", [90])]);
  await stream.push(ADDRESS_TYPE, "3", [], ["foo0"]);
  await stream.push(AUTHORIZATION_TYPE, "4", [], ["/deny-80"]);
  assert.equal(client.mesh.workload("foo0" as WorkloadUid), null);
  assert.equal(client.mesh.policy("/deny-80" as PolicyKey), null);
  stream.end();
  await (await plane.stream()).expectWildcards(NODE_ID, { foo1: "v1" }, { "/deny-90": "" });
});

Deno.test("xds X65: a lookup that waits during a reconnect is answered", async () => {
  await using plane = await ControlPlane.start();
  const environment = { XDS_ON_DEMAND: "true", ISTIO_META_DNS_CAPTURE: "false" };
  await using client = new TestClient(plane.url, { environment });
  const stream = await plane.stream();
  await stream.request();
  await stream.request();
  const answers: string[] = [];
  client.client.lookUp("/10.0.0.9", (answer) => answers.push(answer));
  await stream.expect({ typeUrl: ADDRESS_TYPE, subscribe: ["/10.0.0.9"] });
  stream.end();
  const next = await plane.stream();
  const versions = { "/10.0.0.9": "" };
  await next.expect({ typeUrl: ADDRESS_TYPE, node: NODE_ID, subscribe: ["*"], unsubscribe: ["*"], versions });
  await next.expect({ typeUrl: AUTHORIZATION_TYPE, node: NODE_ID });
  await next.push(ADDRESS_TYPE, "1", [workload("w", [10, 0, 0, 9], "v1", ["/10.0.0.9"])]);
  assert.deepEqual(answers, ["known"]);
});

Deno.test("xds X66: a refused first response does not complete readiness, a good one does", async () => {
  await using plane = await ControlPlane.start();
  await using client = new TestClient(plane.url);
  const stream = await plane.stream();
  await stream.expectWildcards(NODE_ID);
  await stream.push(ADDRESS_TYPE, "1", []);
  stream.respond({ typeUrl: AUTHORIZATION_TYPE, nonce: "2", resources: [{ name: "ns/bad", body: BAD }] });
  await stream.expectNack("2", /^ns\/bad: decode: /, AUTHORIZATION_TYPE);
  assert.equal(client.ready, 0);
  await stream.push(AUTHORIZATION_TYPE, "3", []);
  await eventually("readiness", () => client.ready === 1);
});

Deno.test("xds X67: on demand, policies alone complete readiness", async () => {
  await using plane = await ControlPlane.start();
  const environment = { XDS_ON_DEMAND: "true", ISTIO_META_DNS_CAPTURE: "false" };
  await using client = new TestClient(plane.url, { environment });
  const stream = await plane.stream();
  await stream.request();
  await stream.request();
  await stream.push(AUTHORIZATION_TYPE, "1", []);
  await eventually("readiness", () => client.ready === 1);
});

Deno.test("xds X72: a stream that ends well is opened again at once", async () => {
  await using plane = await ControlPlane.start();
  await using client = new TestClient(plane.url);
  const stream = await plane.stream();
  await settle(stream);
  stream.end();
  await settle(await plane.stream());
  assert.deepEqual(client.terminations, { Complete: 1 });
  assert.deepEqual(client.warnings, ["warn xds::client:xds{id=1} XDS client complete"]);
});

Deno.test("xds X73: messages and the bytes of their payloads are counted", async () => {
  await using plane = await ControlPlane.start();
  await using client = new TestClient(plane.url);
  const stream = await plane.stream();
  await stream.expectWildcards(NODE_ID);
  const resources = [{ name: "a", body: new Uint8Array(10) }, { name: "b", body: new Uint8Array(20) }, {
    name: "c",
    body: null,
  }];
  stream.respond({ typeUrl: ADDRESS_TYPE, nonce: "1", resources });
  await stream.expectNack("1", /^a: /);
  assert.deepEqual(client.messages("istio_xds_message"), { [ADDRESS_TYPE]: 1 });
  assert.deepEqual(client.messages("istio_xds_message_bytes"), { [ADDRESS_TYPE]: 30 });
});

Deno.test("xds 2.6: of a name twice in a response the last applies; listed as removed, too, it is removed", async () => {
  await using plane = await ControlPlane.start();
  await using client = new TestClient(plane.url);
  const stream = await plane.stream();
  await settle(stream);
  await stream.push(ADDRESS_TYPE, "1", [workload("w", [1, 1, 1, 1], "v1"), workload("w", [2, 2, 2, 2], "v2")]);
  assert.ok(client.mesh.workloadByAddress("", "2.2.2.2" as Ip));
  assert.equal(client.mesh.workloadByAddress("", "1.1.1.1" as Ip), null);
  await stream.push(ADDRESS_TYPE, "2", [workload("x", [3, 3, 3, 3], "v1")], ["x"]);
  assert.equal(client.mesh.workload("x" as WorkloadUid), null);
  stream.end();
  await (await plane.stream()).expectWildcards(NODE_ID, { w: "v2" });
});

Deno.test("xds Q14: a control plane that refuses a long list is asked for everything, and what it leaves out is removed", async () => {
  await using plane = await ControlPlane.start({ requestMax: 500 });
  await using client = new TestClient(plane.url);
  const many = Array.from(
    { length: 50 },
    (_, n) => workload(`cluster//Pod/namespace/with-a-long-name-${n}`, [10, 0, 1, n]),
  );
  const first = await plane.stream();
  await first.expectWildcards(NODE_ID);
  await first.push(ADDRESS_TYPE, "1", many);
  await first.push(AUTHORIZATION_TYPE, "2", []);
  first.end();
  const refused = await plane.stream();
  await refused.ended();
  const second = await plane.stream();
  await second.expectWildcards(NODE_ID);
  await second.push(ADDRESS_TYPE, "3", many.slice(1));
  assert.equal(client.mesh.workload(many[0]!.name as WorkloadUid), null);
  assert.equal([...client.mesh.workloads()].length, 49);
  await second.push(ADDRESS_TYPE, "4", [many[0]!]);
  assert.equal([...client.mesh.workloads()].length, 50);
  await client.logged(/warn .*the control plane refuses the list of known resources as too long/);
  assert.deepEqual(client.terminations, { Complete: 1, ConnectionError: 1 });
});

Deno.test("xds 2.11: a control plane that is killed and restarted at the same address", async () => {
  await using plane = await ControlPlane.start();
  await using client = new TestClient(plane.url);
  await settle(await plane.stream());
  await plane.stop();
  await client.logged(
    /^warn .*XDS client connection error: gRPC connection error connecting to https:\/\/localhost:PORT: /,
  );
  await plane.start();
  await settle(await plane.stream());
  assert.equal(client.ready, 1);
  assert.ok((client.terminations["ConnectionError"] ?? 0) > 0);
});

Deno.test("xds 2.3: token and headers; the token file is read for each stream", async () => {
  using folder = tempDir();
  const token = folder.write("token", "first\n");
  await using plane = await ControlPlane.start();
  const environment = {
    AUTH_TOKEN: token,
    XDS_HEADER_X_EXTRA: "1",
    XDS_HEADER_AUTHORIZATION: "none",
    CLUSTER_ID: "c1",
  };
  await using _client = new TestClient(plane.url, { environment });
  const stream = await plane.stream();
  const sent = (name: string) => stream.metadata.get(name);
  assert.deepEqual([sent("authorization"), sent("clusterid"), sent("x_extra")], [["Bearer first"], ["c1"], ["1"]]);
  await settle(stream);
  folder.write("token", "second");
  stream.end();
  const next = await plane.stream();
  assert.deepEqual(next.metadata.get("authorization"), ["Bearer second"]);
  await settle(next);
});

Deno.test("xds 2.2: a mesh of 30 MB in one response, and its removal in the next", async () => {
  await using plane = await ControlPlane.start();
  await using client = new TestClient(plane.url);
  const stream = await plane.stream();
  await stream.expectWildcards(NODE_ID);
  const { addresses } = makeMesh(sizeOf(60_000));
  await stream.push(ADDRESS_TYPE, "1", addresses);
  const count = () => [[...client.mesh.workloads()].length, [...client.mesh.services()].length];
  assert.deepEqual(count(), [60_000, 12_000]);
  await stream.push(ADDRESS_TYPE, "2", [], addresses.map(({ name }) => name));
  assert.deepEqual(count(), [0, 0]);
});

Deno.test("xds 8.2: over a Unix socket, without TLS", async () => {
  using folder = tempDir();
  await using plane = await ControlPlane.start({ path: `${folder.path}/xds.sock` });
  await using client = new TestClient(plane.url, { environment: { AUTH_TOKEN: "t" } });
  const stream = await plane.stream();
  assert.deepEqual(stream.metadata.get("authorization"), ["Bearer t"]);
  await settle(stream);
  assert.deepEqual(client.warnings, []);
});
