/**
 * Broken and hostile control planes: each causes a log line that says what to do, is counted, and leads to a pause
 * before the next attempt. The mesh stays as it was.
 */
import * as grpc from "@grpc/grpc-js";
import assert from "node:assert/strict";
import { istio } from "../testkit/gen/resources.js";
import { framed, rawServer, ROOT, ROOT_PEM, serverIdentity, VALID_NOW } from "../src/grpc/testkit/server.ts";
import { dnsName, ipName, plainServer, respond, TestServer } from "../src/grpc/testkit/server.ts";
import * as build from "../src/identity/certificate_builder.ts";
import { KeyUsage } from "../src/identity/certificate_extensions.ts";
import { Oid } from "../src/identity/oids.ts";
import { makeCa } from "../src/identity/testkit/certificates.ts";
import { TestClock } from "../src/identity/testkit/clock.ts";
import type { WorkloadUid } from "../src/mesh/model/model.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE } from "../src/xds/resources.ts";
import { ControlPlane } from "../testkit/control_plane.ts";
import { NODE_ID, TestClient, type TestClientOptions } from "../testkit/control_plane_client.ts";
import {
  type AdsStream,
  encodeResponse,
  type ScriptedResource,
  type ScriptedResponse,
} from "../testkit/control_plane_stream.ts";
import { eventually } from "../lab/eventually.ts";
import { tempDir } from "../lab/temp_dir.ts";

function workload(uid: string, version = "v1"): ScriptedResource {
  const address = { workload: { uid, name: uid, namespace: "ns", addresses: [Uint8Array.of(10, 0, 0, 1)] } };
  return { name: uid, version, body: istio.workload.Address.encode(address).finish() };
}

/** The bytes of a gRPC message. */
function messageOf(response: ScriptedResponse): Uint8Array {
  const bytes = encodeResponse(response);
  const whole = new Uint8Array(5 + bytes.length);
  whole.set(framed(bytes.length).subarray(0, 5));
  whole.set(bytes, 5);
  return whole;
}

/** Sends one workload to a new client. */
async function provide(stream: AdsStream): Promise<void> {
  await stream.expectWildcards(NODE_ID);
  await stream.push(ADDRESS_TYPE, "a", [workload("kept")]);
  await stream.push(AUTHORIZATION_TYPE, "p", []);
}

/** The first warning of a client about such a server, to which it must connect twice. */
async function complaintAbout(url: string, options: TestClientOptions = {}): Promise<string> {
  await using client = new TestClient(url, options);
  await eventually("a second attempt", () => client.warnings.length >= 2, () => client.log.join("\n"));
  assert.equal(client.ready, 0);
  const [first, second] = client.warnings as [string, string];
  assert.match(first, /xds\{id=1\}.*retrying in 20ms$/);
  assert.match(second, /xds\{id=2\}.*retrying in 40ms$/);
  const [[reason, count], ...others] = Object.entries(client.terminations) as [[string, number]];
  assert.deepEqual([reason, others], [first.includes("XDS client connection error") ? "ConnectionError" : "Error", []]);
  assert.ok(count >= 2);
  return first;
}

const CONNECTING = "warn xds::client:xds{id=1} XDS client connection error: gRPC connection error connecting to ";

// Certificates.

const imposter = makeCa("Root", VALID_NOW);
const stranger = makeCa("Stranger", VALID_NOW);
const expired = { notBefore: VALID_NOW.notBefore - 7200_000, notAfter: VALID_NOW.notBefore };
const forClients = [build.keyUsage(KeyUsage.DIGITAL_SIGNATURE), build.extendedKeyUsage(Oid.CLIENT_AUTH)];

const certificates: readonly [what: string, identity: () => ReturnType<typeof serverIdentity>, reason: RegExp][] = [
  [
    "of another authority",
    () => serverIdentity(stranger),
    /no trusted root has issued the server's certificate; trusted are root certificates in XDS_ROOT_CA/,
  ],
  ["of an authority that took our root's name", () => serverIdentity(imposter), /no trusted root has issued/],
  [
    "forged: our root's name as issuer, X.509 version 1",
    () => serverIdentity(imposter, { version: 1 }),
    /has X\.509 version 1, not 3/,
  ],
  [
    "for another name",
    () => serverIdentity(ROOT, { names: [dnsName("istiod.other.svc")] }),
    /is for "istiod\.other\.svc", not for localhost \(ALT_XDS_HOSTNAME allows another name\)/,
  ],
  ["for no name", () => serverIdentity(ROOT, { names: [] }), /is for no name, not for localhost/],
  ["expired", () => serverIdentity(ROOT, expired), /peer certificate expired at \d{4}-/],
  ["for clients", () => serverIdentity(ROOT, { usage: forClients }), /does not include serverAuth/],
];

for (const [what, identity, reason] of certificates) {
  Deno.test(`certificate ${what}`, async () => {
    await using plane = await ControlPlane.start({ identity: identity() });
    const complaint = await complaintAbout(plane.url);
    assert.ok(complaint.startsWith(`${CONNECTING}https://localhost:PORT: status: Unavailable`), complaint);
    assert.match(complaint, /source: tls handshake error: invalid peer certificate: /);
    assert.match(complaint, reason);
  });
}

Deno.test("certificate for another name that ALT_XDS_HOSTNAME allows, and for an address", async () => {
  await using plane = await ControlPlane.start({
    identity: serverIdentity(ROOT, { names: [dnsName("istiod.other.svc")] }),
  });
  await using client = new TestClient(plane.url, { environment: { ALT_XDS_HOSTNAME: "istiod.other.svc" } });
  await provide(await plane.stream());
  assert.deepEqual(client.warnings, []);
  await using byAddress = await ControlPlane.start({
    identity: serverIdentity(ROOT, { names: [ipName(127, 0, 0, 1)] }),
  });
  await using other = new TestClient(byAddress.url.replace("localhost", "127.0.0.1"));
  await provide(await byAddress.stream());
  assert.deepEqual(other.warnings, []);
});

Deno.test("a control plane that returns with a forged certificate gets no request, and the mesh stays", async () => {
  const good = serverIdentity();
  await using plane = await ControlPlane.start({ identity: good });
  await using client = new TestClient(plane.url);
  await provide(await plane.stream());
  await plane.stop();
  await plane.start(serverIdentity(imposter, { version: 1 }));
  await client.logged(/has X\.509 version 1, not 3/);
  assert.ok(client.mesh.workload("kept" as WorkloadUid));
  await plane.stop();
  await plane.start(good);
  const stream = await plane.stream();
  await stream.expectWildcards(NODE_ID, { kept: "v1" });
});

// Files.

Deno.test("root certificates are read for each attempt: missing, garbage, of another CA, correct", async () => {
  using folder = tempDir();
  await using plane = await ControlPlane.start();
  const path = `${folder.path}/root.pem`;
  const missing = await complaintAbout(plane.url, { environment: { XDS_ROOT_CA: path } });
  assert.equal(
    missing,
    `warn xds::client:xds{id=1} XDS client error: cannot read root certificates in "${path}" (XDS_ROOT_CA): ` +
      "No such file or directory (os error 2), retrying in 20ms",
  );
  folder.write("root.pem", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n");
  assert.match(
    await complaintAbout(plane.url, { environment: { XDS_ROOT_CA: path } }),
    /XDS client error: cannot use root certificates in ".*" \(XDS_ROOT_CA\): PEM block CERTIFICATE is not base64/,
  );
  folder.write("root.pem", "");
  await using client = new TestClient(plane.url, { environment: { XDS_ROOT_CA: path } });
  await client.logged(/cannot use .*no certificate is there/);
  assert.ok((client.terminations["Error"] ?? 0) > 0);
  folder.write("root.pem", ROOT_PEM);
  await provide(await plane.stream());
});

Deno.test("token file: missing, empty, unusable; then correct", async () => {
  using folder = tempDir();
  await using plane = await ControlPlane.start();
  const path = folder.write("token", "");
  await using client = new TestClient(plane.url, { environment: { AUTH_TOKEN: path } });
  await client.logged(/status: Unauthenticated, message: "token file exists, but was empty", retrying in /);
  folder.write("token", "secret with spaces");
  await client.logged(/message: "token file \\".*token\\" has characters that no token has", retrying/);
  Deno.removeSync(path);
  await client.logged(
    /message: "cannot read token file \\".*\\" \(AUTH_TOKEN\): No such file or directory \(os error 2\)"/,
  );
  folder.write("token", "secret");
  const stream = await plane.stream();
  assert.deepEqual(stream.metadata.get("authorization"), ["Bearer secret"]);
  await provide(stream);
  assert.deepEqual(Object.keys(client.terminations), ["ConnectionError"]);
  assert.ok(!client.log.some((line) => line.includes("secret")), "the token is in the log");
});

// Servers with another protocol.

Deno.test("a server that closes each connection at once", async () => {
  await using server = await rawServer((socket) => socket.end());
  assert.match(await complaintAbout(`https://localhost:${server.port}`), /source: tls handshake error: /);
});

Deno.test("a server that sends garbage instead of TLS", async () => {
  await using server = await rawServer((socket) => socket.end("SSH-2.0-OpenSSH_9.6\r\n"));
  assert.match(await complaintAbout(`https://localhost:${server.port}`), /source: tls handshake error: /);
});

Deno.test("a server that answers with an HTML page", async () => {
  await using server = await plainServer(({ stream }) => {
    stream.respond({ ":status": 404, "content-type": "text/html" });
    stream.end("not found");
  });
  assert.match(
    await complaintAbout(`http://localhost:${server.port}`),
    /status: Unimplemented, message: "server answered with HTTP status 404"/,
  );
});

Deno.test("a server that refuses: unauthenticated, with a hint", async () => {
  await using plane = await ControlPlane.start();
  plane.refusal = { code: grpc.status.UNAUTHENTICATED, details: "authentication failure" };
  assert.equal(
    await complaintAbout(plane.url),
    `${CONNECTING}https://localhost:PORT: status: Unauthenticated, message: "authentication failure" ` +
      "(hint: check the control plane logs for more information), retrying in 20ms",
  );
});

Deno.test("a server without this service", async () => {
  const server = new grpc.Server();
  const credentials = grpc.ServerCredentials.createInsecure();
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) => error === null ? resolve(bound) : reject(error))
  );
  const complaint = await complaintAbout(`http://localhost:${port}`);
  assert.match(complaint, /status: Unimplemented, message: "The server does not implement the method /);
  await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
});

// Streams that begin well and then fail.

const spoiled: readonly [what: string, spoil: (stream: AdsStream) => void, log: RegExp, reason: string][] = [
  [
    "a response that is no protobuf",
    (stream) => stream.send(Uint8Array.of(0xff, 0xff, 0xff)),
    /XDS client error: gRPC error status: Internal, message: "response cannot be decoded: message ends in the middle/,
    "Error",
  ],
  [
    "a response that is cut off",
    (stream) =>
      stream.send(encodeResponse({ typeUrl: ADDRESS_TYPE, nonce: "1", resources: [workload("x")] }).subarray(0, 40)),
    /response cannot be decoded: field is longer than its message/,
    "Error",
  ],
  [
    "a status of its own",
    (stream) => stream.fail(grpc.status.RESOURCE_EXHAUSTED, "too much"),
    /XDS client error: gRPC error status: ResourceExhausted, message: "too much", retrying in 10ms/,
    "Error",
  ],
  [
    "a status of a restart",
    (stream) => stream.fail(grpc.status.UNAVAILABLE, "transport is closing"),
    /debug .*XDS client terminated: gRPC error status: Unavailable, message: "transport is closing"/,
    "Reconnect",
  ],
];

for (const [what, spoil, log, reason] of spoiled) {
  Deno.test(`a good stream, then ${what}: the mesh stays, and its resources are listed on the next stream`, async () => {
    await using plane = await ControlPlane.start();
    await using client = new TestClient(plane.url);
    const stream = await plane.stream();
    await provide(stream);
    spoil(stream);
    await client.logged(log);
    assert.deepEqual(client.terminations, { [reason]: 1 });
    assert.ok(client.mesh.workload("kept" as WorkloadUid));
    assert.equal(client.mesh.workload("x" as WorkloadUid), null);
    await (await plane.stream()).expectWildcards(NODE_ID, { kept: "v1" });
  });
}

Deno.test("a message that announces more than 200 MB ends the stream before it is received", async () => {
  await using server = await plainServer(({ stream }) => {
    respond(stream, [], null);
    const prefix = framed(0);
    new DataView(prefix.buffer).setUint32(1, 200 * 1024 * 1024 + 1);
    stream.write(prefix);
  });
  assert.match(
    await complaintAbout(`http://localhost:${server.port}`),
    /status: ResourceExhausted, message: "message of 209715201 bytes is longer than the limit of 209715200 bytes"/,
  );
});

Deno.test("a connection that is reset in the middle of a response leaves the mesh as it was", async () => {
  const whole = messageOf({ typeUrl: ADDRESS_TYPE, nonce: "1", resources: [workload("kept"), workload("x")] });
  let attempts = 0;
  await using server: TestServer = await plainServer(({ stream, socket, later }) => {
    respond(stream, [], null);
    attempts++;
    stream.write(whole.subarray(0, whole.length - 1), () => later(() => socket.resetAndDestroy()));
  });
  await using client = new TestClient(`http://localhost:${server.port}`);
  await eventually("a second attempt", () => attempts >= 2);
  assert.deepEqual([...client.mesh.workloads()], []);
  assert.match(client.warnings[0]!, /status: Unknown, message: "connection to the server was lost"/);
});

Deno.test("a server that stalls is disconnected after 40 s, the mesh stays, and another attempt is made", async () => {
  const whole = messageOf({ typeUrl: ADDRESS_TYPE, nonce: "1", resources: [workload("kept")] });
  let attempts = 0, silent = false;
  await using server: TestServer = await plainServer(({ stream, socket, later }) => {
    attempts++;
    respond(stream, [], null);
    stream.write(whole, () =>
      later(() => {
        socket.pause();
        silent = true;
      }));
  });
  const clock = new TestClock(0);
  await using client = new TestClient(`http://localhost:${server.port}`, { clock });
  await eventually("a workload from a server that is silent now", () => silent && client.batches === 1);
  await clock.advance(39_000);
  assert.deepEqual(client.warnings, []);
  await clock.advance(1_000);
  const complaint = await client.logged(/did not answer/);
  assert.equal(
    complaint,
    'warn xds::client:xds{id=1} XDS client error: gRPC error status: Unavailable, message: "server did not answer an ' +
      'HTTP/2 ping within 10 s", retrying in 10ms',
  );
  assert.deepEqual(client.terminations, { Error: 1 });
  assert.equal(attempts, 1);
  await clock.advance(20);
  await eventually("another attempt", () => attempts === 2);
  assert.ok(client.mesh.workload("kept" as WorkloadUid));
});

// Resources.

Deno.test("invalid resources of all kinds are refused by name; valid ones between them are applied", async () => {
  await using plane = await ControlPlane.start();
  await using client = new TestClient(plane.url);
  const stream = await plane.stream();
  await stream.expectWildcards(NODE_ID);
  const bytes = (address: Parameters<typeof istio.workload.Address.encode>[0]) =>
    istio.workload.Address.encode(address).finish();
  stream.respond({
    typeUrl: ADDRESS_TYPE,
    nonce: "1",
    resources: [
      workload("first"),
      { name: "enum", body: bytes({ workload: { uid: "enum", tunnelProtocol: 77 as never } }) },
      { name: "ip", body: bytes({ workload: { uid: "ip", addresses: [Uint8Array.of(1, 2, 3)] } }) },
      { name: "cut", body: workload("cut").body!.subarray(0, 9) },
      { name: "empty", body: new Uint8Array() },
      { name: "none", body: null },
      { name: 'quote"\n', body: new Uint8Array() },
      { name: "", body: new Uint8Array() },
      workload("last"),
    ],
  });
  await stream.expectNack(
    "1",
    new RegExp(
      "^enum: decode error: unknown enumeration value 77; ip: failed to parse address, had 3 bytes; " +
        'empty: unknown address type; quote"\n: unknown address type; : unknown address type; ' +
        "cut: decode: .*; none: XDS payload without resource$",
    ),
  );
  assert.deepEqual([...client.mesh.workloads()].map(({ uid }) => uid).sort(), ["first", "last"]);
  await client.logged(
    /^error .*sending response type_url=".*Address" nonce="1" type=Nack error="enum: decode error: /,
  );
  assert.deepEqual(client.messages("istio_xds_rejected_resources"), { [ADDRESS_TYPE]: 7 });
  stream.end();
  await (await plane.stream()).expectWildcards(NODE_ID, { first: "v1", last: "v1" });
});
