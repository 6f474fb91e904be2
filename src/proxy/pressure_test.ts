/** Back-pressure, end to end: no memory grows with a reader that does not read (observed.md O30). */
import { strict as assert } from "node:assert";
import { assertSameBytes } from "../net/testkit/contract_kit.ts";
import { rawClient, rawServer } from "../hbone/testkit/peer.ts";
import { pattern, sendAll, StreamLog } from "../h2/testkit/pair.ts";
import type { HeaderList } from "../h2/seam.ts";
import { at, echo, Testbed, workloadAt } from "../dataplane/testkit/testbed.ts";

const CLIENT = "10.0.0.1", SERVER = "10.0.0.2";
const PEER_ID = "spiffe://cluster.local/ns/default/sa/peer";
const SERVER_ID = "spiffe://cluster.local/ns/default/sa/server";
const WINDOW = 1 << 20;
/** The size of a socket's buffer in the in-memory network. */
const SOCKET = 65_536;
const connectTo = (port: number): HeaderList => [[":method", "CONNECT"], [":authority", `${SERVER}:${port}`]];

/** `docs/spec/dataplane.md` 0: sizes by environment, so that the tests need not move 16 MB. */
const SMALL_WINDOWS = {
  HTTP2_STREAM_WINDOW_SIZE: String(WINDOW),
  HTTP2_CONNECTION_WINDOW_SIZE: String(4 * WINDOW),
};

Deno.test("an application that does not read: its stream's window bounds what is held for it", () => {
  const bed = new Testbed();
  const node = bed.node("server", SERVER, { env: SMALL_WINDOWS });
  const apps = bed.listen(`${SERVER}:8080`, () => {}, false);
  const peer = rawClient(bed.host(CLIENT), at(`${SERVER}:15008`), bed.context(PEER_ID));
  const stream = peer.open(connectTo(8080));
  bed.run();
  const sent = pattern(10 * WINDOW);
  const log = new CountingSender(stream, sent);
  bed.run();
  // Credit of bytes that were written to the socket returns; the rest is the window.
  assert.ok(log.sent >= WINDOW && log.sent <= 2 * WINDOW + SOCKET, `${log.sent} bytes were let through`);
  assert.ok(node.traffic.received <= SOCKET, "only what the socket took is counted");
  apps[0]!.keep = false;
  apps[0]!.goOnReading();
  bed.run();
  assert.equal(apps[0]!.count, sent.length);
  assert.equal(node.traffic.received, sent.length);
  stream.stream.end();
  apps[0]!.end();
  bed.run();
  peer.close();
  bed.assertClean();
});

/** Sends all of it as windows allow, and counts the bytes that were sent. */
class CountingSender {
  sent = 0;

  constructor(private readonly log: StreamLog, private readonly bytes: Uint8Array) {
    log.onReady = () => this.#go();
    this.#go();
  }

  #go(): void {
    while (this.sent < this.bytes.length) {
      const room = this.log.stream.reserve(this.bytes.length - this.sent, 1 << 20);
      if (room === null) return;
      for (let i = 0; i < room.count; i++) {
        const length = room.segments[2 * i + 1]!;
        room.bytes.set(this.bytes.subarray(this.sent, this.sent + length), room.segments[2 * i]!);
        this.sent += length;
      }
      this.log.stream.commit(room.total, false);
    }
  }
}

Deno.test("observed O30 eight applications do not read: a ninth stream gets its bytes", () => {
  const bed = new Testbed();
  bed.node("server", SERVER, { env: SMALL_WINDOWS });
  bed.listen(`${SERVER}:8080`, () => {}, false);
  bed.listen(`${SERVER}:9090`, echo);
  const peer = rawClient(bed.host(CLIENT), at(`${SERVER}:15008`), bed.context(PEER_ID));
  const flood = pattern(2 * WINDOW);
  for (let i = 0; i < 8; i++) {
    const stream = peer.open(connectTo(8080));
    bed.run();
    new CountingSender(stream, flood);
    bed.run();
  }
  const other = peer.open(connectTo(9090));
  bed.run();
  const question = pattern(3 * WINDOW, 7);
  sendAll(other, question);
  bed.run();
  assertSameBytes(other.body, question);
  peer.close();
  bed.assertClean();
});

Deno.test("a peer that does not read: the proxy stops reading from the application, other streams continue", () => {
  const bed = new Testbed();
  const node = bed.node("server", SERVER);
  const apps = bed.listen(`${SERVER}:8080`);
  bed.listen(`${SERVER}:9090`, echo);
  const peer = rawClient(bed.host(CLIENT), at(`${SERVER}:15008`), bed.context(PEER_ID), { streamWindow: 100_000 });
  const stream = new StreamLog();
  stream.autoRelease = false;
  peer.open(connectTo(8080), stream);
  bed.run();
  const body = pattern(1_000_000);
  apps[0]!.send(body);
  bed.run();
  assert.equal(stream.bytes, 100_000);
  assert.equal(node.traffic.sent, 100_000);
  assert.equal(apps[0]!.unsent, body.length - 100_000 - SOCKET, "the application waits");
  const other = peer.open(connectTo(9090));
  bed.run();
  sendAll(other, pattern(50_000));
  bed.run();
  assert.equal(other.bytes, 50_000);
  stream.autoRelease = true;
  stream.stream.release(100_000);
  bed.run();
  assertSameBytes(stream.body, body);
  apps[0]!.end();
  stream.stream.end();
  bed.run();
  peer.close();
  bed.assertClean();
});

Deno.test("a client that does not read: the proxy holds one window for it, and the server waits", () => {
  const bed = new Testbed();
  const node = bed.node("client", CLIENT, { env: SMALL_WINDOWS });
  bed.apply(workloadAt("server", SERVER, { protocol: "HBONE" }));
  const { peers } = rawServer(bed.host(SERVER), at(`${SERVER}:15008`), bed.context(SERVER_ID));
  const client = bed.connect(CLIENT, `${SERVER}:8080`, false);
  bed.run();
  const body = pattern(8 * WINDOW);
  const sender = new CountingSender(peers[0]!.streams[0]!, body);
  bed.run();
  assert.ok(sender.sent >= WINDOW && sender.sent <= 2 * WINDOW + SOCKET, `${sender.sent} bytes were let through`);
  assert.ok(node.traffic.sent <= SOCKET);
  client.goOnReading();
  bed.run();
  assertSameBytes(client.bytes, body);
  client.end();
  peers[0]!.streams[0]!.stream.end();
  bed.run();
  bed.assertClean();
});

for (const plain of [false, true]) {
  Deno.test(`two slow ends over ${plain ? "plain TCP" : "HBONE"}: megabytes both ways with tiny buffers, then both ends`, () => {
    let seed = 1;
    const chunking = (available: number) => 1 + (seed = (seed * 48_271) % 0x7fffffff) % available;
    const bed = new Testbed({ bufferBytes: 3000, chunking });
    const client = bed.node("client", CLIENT);
    if (plain) bed.apply(workloadAt("server", SERVER, { protocol: "TCP" }));
    else bed.node("server", SERVER);
    const up = pattern(700_000, 3), down = pattern(900_000, 5);
    const apps = bed.listen(`${SERVER}:8080`, (app) => void app.send(down).end());
    const socket = bed.connect(CLIENT, `${SERVER}:8080`);
    socket.send(up).end();
    bed.run();
    assertSameBytes(apps[0]!.bytes, up);
    assertSameBytes(socket.bytes, down);
    assert.deepEqual([apps[0]!.fate, socket.fate], ["fin", "fin"]);
    const { received, sent } = client.traffic;
    assert.deepEqual([received, sent], [up.length, down.length]);
    bed.assertClean();
  });
}

Deno.test("dataplane CP-01 a thousand pieces of 32,000 bytes through two proxies and back, intact and counted", () => {
  const bed = new Testbed();
  const client = bed.node("client", CLIENT), server = bed.node("server", SERVER);
  bed.listen(`${SERVER}:8080`, (app) => {
    app.keep = false;
    echo(app);
  });
  const socket = bed.connect(CLIENT, `${SERVER}:8080`);
  const piece = pattern(32_000);
  let at = 0, wrong = 0;
  socket.keep = false;
  socket.onBytes = (bytes) => {
    for (const byte of bytes) if (byte !== piece[at++ % piece.length]) wrong++;
  };
  for (let i = 0; i < 1000; i++) socket.send(piece);
  socket.end();
  bed.run();
  assert.deepEqual([at, wrong, socket.fate], [32_000_000, 0, "fin"]);
  for (const { traffic } of [client, server]) assert.deepEqual([traffic.received, traffic.sent], [at, at]);
  bed.assertClean();
});

Deno.test("dataplane CP-02 pieces of every size from 1 to 2559 bytes arrive intact and in order", () => {
  const bed = new Testbed({ bufferBytes: 4096 });
  bed.node("client", CLIENT);
  bed.node("server", SERVER);
  const apps = bed.listen(`${SERVER}:8080`, echo);
  const socket = bed.connect(CLIENT, `${SERVER}:8080`);
  const all = pattern((2559 * 2560) / 2);
  for (let size = 1, from = 0; size < 2560; from += size++) socket.send(all.subarray(from, from + size));
  bed.run();
  assertSameBytes(apps[0]!.bytes, all);
  assertSameBytes(socket.bytes, all);
  socket.end();
  bed.run();
  bed.assertClean();
});

Deno.test("observed O26 one-byte frames to an application that does not read take as much memory as their bytes", () => {
  const bed = new Testbed();
  const node = bed.node("server", SERVER, { env: SMALL_WINDOWS });
  const apps = bed.listen(`${SERVER}:8080`, () => {}, false);
  const peer = rawClient(bed.host(CLIENT), at(`${SERVER}:15008`), bed.context(PEER_ID));
  const stream = peer.open(connectTo(8080));
  bed.run();
  const bytes = pattern(200_000);
  for (let i = 0; i < bytes.length; i++) {
    const room = stream.stream.reserve(1, 1 << 20);
    if (room === null) {
      bed.run();
      i--;
      continue;
    }
    room.bytes[room.segments[0]!] = bytes[i]!;
    stream.stream.commit(1, false);
  }
  bed.run();
  assert.ok(node.traffic.received <= SOCKET);
  apps[0]!.goOnReading();
  bed.run();
  assertSameBytes(apps[0]!.bytes, bytes);
  peer.close();
  bed.run();
  bed.assertClean();
});
