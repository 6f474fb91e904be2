/** Peers and clients that use up resources: the bounds in number and time (observed.md O27, O28, O31). */
import { strict as assert } from "node:assert";
import { rawBytes, rawClient, type RawPeer } from "../hbone/testkit/peer.ts";
import { concat, sendAll } from "../h2/testkit/pair.ts";
import { frame, settings, settingsAck } from "../h2/testkit/frames.ts";
import { FrameType, PREFACE } from "../h2/frame.ts";
import { ErrorCode, type HeaderList } from "../h2/seam.ts";
import { GRACE, MOST } from "./unproven.ts";
import { at, echo, Testbed, type TestNode, workloadAt } from "../dataplane/testkit/testbed.ts";

const CLIENT = "10.0.0.1", SERVER = "10.0.0.2";
const PEER_ID = "spiffe://cluster.local/ns/default/sa/peer";
const HBONE = at(`${SERVER}:15008`);
const BLACK_HOLE = at(`${SERVER}:6666`);
const toBlackHole: HeaderList = [[":method", "CONNECT"], [":authority", `${SERVER}:6666`]];

interface Scene {
  readonly bed: Testbed;
  readonly server: TestNode;
  connect(): RawPeer;
}

function scene(): Scene {
  const bed = new Testbed();
  const server = bed.node("server", SERVER);
  bed.memory.blackhole(BLACK_HOLE);
  return { bed, server, connect: () => rawClient(bed.host(CLIENT), HBONE, bed.context(PEER_ID)) };
}

Deno.test("observed O27 a stream that is reset ends its dial at once", () => {
  const { bed, server, connect } = scene();
  const peer = connect();
  const stream = peer.open(toBlackHole);
  bed.run();
  assert.equal(server.held.dials, 1);
  stream.stream.reset(ErrorCode.CANCEL);
  bed.run();
  assert.equal(server.held.dials, 0);
  assert.ok(
    server.accessLine.endsWith('error="h2 failed: stream error received: stream no longer needed"'),
    server.accessLine,
  );
  peer.close();
  bed.assertClean();
});

Deno.test("observed O27 a connection that breaks ends the dials of all its streams", () => {
  const { bed, server, connect } = scene();
  const peer = connect();
  for (let i = 0; i < 100; i++) peer.open(toBlackHole);
  bed.run();
  assert.equal(server.held.dials, 100);
  peer.close(true);
  bed.run();
  assert.equal(server.held.dials, 0);
  assert.equal(server.pod.connectionCount, 0);
  assert.equal(server.access.length, 100);
  bed.assertClean();
});

Deno.test("observed O27 dials of applications are bounded for each connection and in all", () => {
  const { bed, server, connect } = scene();
  const peers = Array.from({ length: 25 }, connect);
  const streams = peers.flatMap((peer) => Array.from({ length: 200 }, () => peer.open(toBlackHole)));
  bed.run();
  const { dials } = server.held;
  assert.ok(dials <= 4096 && dials > 4096 - 16, `${dials} dials`);
  const refused = streams.filter(({ headers }) => headers !== null);
  assert.equal(refused.length, 25 * 200 - dials);
  assert.deepEqual(refused[0]!.headers, [[":status", "503"]]);
  const reason = "connection failed: gave way to others, as 4096 connections wait for applications already, " +
    `4097 of them for caller ${PEER_ID}`;
  assert.ok(server.access[0]!.endsWith(`error="${reason}"`), server.access[0]!);
  for (const peer of peers) peer.close();
  bed.run();
  assert.equal(server.held.dials, 0);
  bed.assertClean();
});

Deno.test("observed O27 one caller that uses all dials does not block other callers", () => {
  const { bed, server, connect } = scene();
  const crowd = Array.from({ length: 21 }, connect).flatMap((peer) => {
    return Array.from({ length: 200 }, () => peer.open(toBlackHole));
  });
  bed.run();
  const slow = at(`${SERVER}:7777`);
  bed.memory.blackhole(slow);
  const other = rawClient(bed.host(CLIENT), HBONE, bed.context("spiffe://cluster.local/ns/default/sa/other"));
  const newcomers = Array.from(
    { length: 20 },
    () => other.open([[":method", "CONNECT"], [":authority", "10.0.0.2:7777"]]),
  );
  bed.run();
  for (let i = 0; i < 100; i++) crowd.push(connect().open(toBlackHole));
  bed.run();
  assert.ok(newcomers.every(({ headers }) => headers === null), "their dials continue");
  assert.ok(crowd.filter(({ headers }) => headers !== null).length >= 21 * 200 + 120 - 4096);
  assert.ok(server.held.dials <= 4096);
});

Deno.test("dials for plain connections are bounded too, and end with their clients", () => {
  const { bed, server } = scene();
  const crowd = Array.from({ length: 4100 }, () => bed.startConnecting(CLIENT, `${SERVER}:6666`));
  bed.run();
  const { dials } = server.held;
  assert.ok(dials <= 4096 && dials > 4096 - 16, `${dials} dials`);
  assert.equal(server.access.length, 4100 - dials);
  assert.match(server.access[0]!, /error="connection failed: gave way .*, 4097 of them for caller 10\.0\.0\.1"$/);
  for (const client of crowd) client().reset();
  bed.run();
  assert.equal(server.held.dials, 0);
  assert.equal(bed.connect(CLIENT, `${SERVER}:6666`).fate, "open", "there is room again");
  bed.advance(10_000);
  bed.assertClean();
});

Deno.test("the credit of early data of failed streams returns: the next streams are served", () => {
  const { bed, connect } = scene();
  bed.listen(`${SERVER}:8080`, echo);
  const peer = connect();
  const early = new Uint8Array(4_000_000);
  // Together more than all streams of a connection may hold (64 MiB).
  for (let round = 0; round < 20; round++) {
    const stream = peer.open(toBlackHole);
    sendAll(stream, early);
    bed.advance(10_000);
    assert.deepEqual(stream.headers, [[":status", "503"]]);
  }
  const stream = peer.open([[":method", "CONNECT"], [":authority", `${SERVER}:8080`]]);
  bed.run();
  stream.keep = false;
  sendAll(stream, new Uint8Array(20_000_000));
  bed.run();
  assert.equal(stream.bytes, 20_000_000);
  peer.close();
  bed.assertClean();
});

Deno.test("dataplane 1.7 17: an application that does not answer: 503 after 10 s", () => {
  const { bed, server, connect } = scene();
  const peer = connect();
  const stream = peer.open(toBlackHole);
  bed.advance(9999);
  assert.equal(stream.headers, null);
  bed.advance(1);
  assert.deepEqual(stream.headers, [[":status", "503"]]);
  assert.match(server.accessLine, /^error .* duration="10000ms" error="connection failed: deadline has elapsed"$/);
  assert.deepEqual(server.traffic.failed, { CONNECT: 1 });
  peer.close();
  bed.assertClean();
});

Deno.test("dataplane 1.7 17: an address that refuses connections: 503 at once, both sides log it", () => {
  const bed = new Testbed();
  const client = bed.node("client", CLIENT), server = bed.node("server", SERVER);
  const socket = bed.connect(CLIENT, `${SERVER}:8080`);
  bed.run();
  assert.equal(socket.fate, "reset");
  assert.match(client.accessLine, /^error .* error="http status: 503 Service Unavailable"$/);
  assert.match(server.accessLine, /^error .* error="connection failed: Connection refused \(os error 111\)"$/);
  bed.assertClean();
});

Deno.test("observed O31 a peer that connects and sends nothing is closed after 10 s", () => {
  const { bed, server } = scene();
  const peer = bed.connect(CLIENT, `${SERVER}:15008`);
  bed.advance(9999);
  assert.equal(peer.fate, "open");
  bed.advance(1);
  assert.equal(peer.fate, "fin");
  assert.match(server.accessLine, /^warn connection failed .* error="tls handshake error: TLS handshake timed out"$/);
  bed.assertClean();
});

Deno.test("peers that open thousands of connections and send nothing: a thousand stay, and others are served", () => {
  const { bed, server, connect } = scene();
  const crowd = Array.from({ length: MOST + 500 }, () => bed.connect(CLIENT, `${SERVER}:15008`));
  bed.advance(GRACE);
  const open = () => crowd.filter(({ fate }) => fate === "open");
  assert.equal(open().length, crowd.length);
  // A new peer evicts eight others at most, so that no turn is long.
  for (let i = 0; i < 64; i++) connect();
  bed.run();
  assert.ok(open().length <= MOST && open().length > MOST - 64, `${open().length} are left`);
  connect().open(toBlackHole);
  bed.run();
  assert.equal(server.held.dials, open().length + 1, "handshakes of the remaining peers, and a dial");
  assert.match(
    server.access[0]!,
    /^warn connection failed .*"tls handshake error: too slow while more than 1024 peers/,
  );
});

Deno.test("bytes that are no TLS: closed at once", () => {
  const { bed, server } = scene();
  const peer = bed.connect(CLIENT, `${SERVER}:15008`);
  peer.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  bed.run();
  assert.notEqual(peer.fate, "open");
  assert.match(server.accessLine, /^warn connection failed .* error="tls handshake error: wrong version number"$/);
  bed.assertClean();
});

for (const hangUp of ["end", "reset"] as const) {
  Deno.test(`a peer that ${hangUp}s in the middle of the handshake`, () => {
    const { bed, server } = scene();
    const peer = bed.connect(CLIENT, `${SERVER}:15008`);
    peer[hangUp]();
    bed.run();
    assert.match(server.accessLine, /^warn connection failed .* error="tls handshake error: /);
    bed.assertClean();
  });
}

Deno.test("observed O31 TLS without a preface: GOAWAY, and closed after 10 s", () => {
  const { bed, server } = scene();
  const peer = rawBytes(bed.host(CLIENT), HBONE, bed.context(PEER_ID));
  bed.advance(9999);
  assert.equal(peer.fate, "open");
  bed.advance(1);
  assert.equal(peer.fate, "fin");
  assert.match(
    server.lines.at(-1)!,
    /^warn proxy::inbound HBONE connection closed: no preface and SETTINGS within 10000 ms peer=10\.0\.0\.1:\d+ identity="spiffe:.*\/sa\/peer" connection=\d+$/,
  );
  bed.assertClean();
});

Deno.test("observed O31 HEADERS that never end: closed after 10 s, although PINGs are answered", () => {
  const { bed, server } = scene();
  const peer = rawBytes(bed.host(CLIENT), HBONE, bed.context(PEER_ID));
  peer.send(concat([PREFACE, settings(), settingsAck()]));
  // Begun while a PING of ours is not answered: the earlier deadline applies.
  bed.advance(10_500);
  peer.send(frame(FrameType.HEADERS, 0, 1, [0x82]));
  bed.advance(9999);
  assert.equal(peer.fate, "open");
  bed.advance(1);
  assert.equal(peer.fate, "fin");
  assert.match(server.lines.at(-1)!, /HBONE connection closed: unfinished frame within 10000 ms/);
  bed.assertClean();
});

Deno.test("dataplane 2.3: a silent peer is sent a PING and closed 35 s later, together with its streams", () => {
  const { bed, server } = scene();
  const apps = bed.listen(`${SERVER}:8080`);
  const peer = rawBytes(bed.host(CLIENT), HBONE, bed.context(PEER_ID));
  peer.send(concat([PREFACE, settings(), settingsAck()]));
  // The random source of the tests gives the shortest interval, 8.5 s.
  bed.advance(43_499);
  assert.equal(peer.fate, "open");
  bed.advance(1);
  assert.equal(peer.fate, "fin");
  assert.deepEqual(apps, []);
  assert.equal(server.pod.connectionCount, 0);
  bed.assertClean();
});

Deno.test("a peer that violates HTTP/2 gets GOAWAY with the reason; its applications see RST, other connections continue", () => {
  const { bed, server, connect } = scene();
  const apps = bed.listen(`${SERVER}:8080`, echo);
  const bad = connect(), good = connect();
  const request: HeaderList = [[":method", "CONNECT"], [":authority", `${SERVER}:8080`]];
  bad.open(request);
  const stream = good.open(request);
  bed.run();
  bad.duplex.write(frame(FrameType.DATA, 0, 0, [1]));
  bed.run();
  assert.ok(bad.events.includes(`goaway 1 ${ErrorCode.PROTOCOL_ERROR}`), bad.events.join());
  assert.match(server.accessLine, /error="send: io error: stream error detected: DATA on stream 0"$/);
  assert.match(server.lines.at(-1)!, /^warn proxy::inbound HBONE connection closed: DATA on stream 0 peer=/);
  assert.deepEqual(apps.map(({ fate }) => fate), ["reset", "open"]);
  stream.stream.end();
  bed.run();
  assert.equal(stream.events.includes("end"), true);
  good.close();
  bed.assertClean();
});

Deno.test("a peer that stops reading and answering is closed without waiting for it", () => {
  const { bed, server, connect } = scene();
  const apps = bed.listen(`${SERVER}:8080`);
  const peer = connect();
  peer.open([[":method", "CONNECT"], [":authority", `${SERVER}:8080`]]);
  bed.run();
  apps[0]!.send(new Uint8Array(1_000_000));
  // Nothing is read from now on: the TCP window closes, and our GOAWAY cannot be sent.
  peer.duplex.start({ onReadable() {}, onWritable() {}, onFailure() {} });
  bed.advance(47_000);
  assert.deepEqual(server.held.streams, 0);
  assert.equal(server.pod.connectionCount, 0);
  assert.equal(apps[0]!.fate, "reset");
  bed.assertClean();
});

Deno.test("a client that resets while its proxy connects, in every phase: all work for it ends, except a connection for later calls", () => {
  const bed = new Testbed();
  const client = bed.node("client", CLIENT);
  bed.apply(workloadAt("server", SERVER, { protocol: "HBONE" }));
  bed.memory.blackhole(HBONE);
  bed.memory.blackhole(at("192.0.2.1:80"));
  client.certificates = "hold";
  const first = bed.connect(CLIENT, `${SERVER}:8080`);
  bed.run();
  first.reset();
  bed.run();
  assert.equal(client.pod.connectionCount, 0, "while it waited for the certificate");
  client.certificates = "issue";
  client.issueCertificate();
  const second = bed.connect(CLIENT, `${SERVER}:8080`);
  bed.run();
  second.reset();
  bed.run();
  assert.equal(client.pod.connectionCount, 0, "while the tunnel was dialled");
  const plain = bed.connect(CLIENT, "192.0.2.1:80");
  bed.run();
  const { dials } = client.held;
  plain.reset();
  bed.run();
  assert.equal(client.pod.connectionCount, 0, "while a plain connection was dialled");
  assert.equal(client.held.dials, dials - 1);
  bed.advance(30_000);
  assert.equal(client.held.dials, 0);
  assert.deepEqual(client.access.map((line) => line.slice(0, 24)), Array(3).fill("info connection complete"));
  bed.assertClean();
});

Deno.test("peers that violate the protocol cannot flood the log: ten lines of a kind in a minute, then their number", () => {
  const { bed, server } = scene();
  for (let i = 0; i < 50; i++) {
    const peer = rawBytes(bed.host(CLIENT), HBONE, bed.context(PEER_ID));
    // A client must not open streams with even ids.
    peer.send(concat([PREFACE, settings(), frame(FrameType.HEADERS, 4, 2, [])]));
    bed.run();
  }
  const lines = () => server.lines.filter((line) => line.includes("HBONE connection closed"));
  assert.equal(lines().length, 10);
  bed.advance(60_000);
  assert.equal(lines().length, 11);
  assert.match(lines()[10]!, /^warn proxy::inbound more lines like this were left out: HBONE .* left_out=40$/);
  bed.assertClean();
});
