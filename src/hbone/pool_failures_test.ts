/**
 * Failures while tunnels are made, and which requests fail by them (`docs/spec/dataplane.md` 3, observed.md O27, O31).
 */
import { strict as assert } from "node:assert";
import { ErrorCode } from "../h2/seam.ts";
import { goAway } from "../h2/testkit/frames.ts";
import { spiffeId } from "./testkit/identity.ts";
import type { RawPeer } from "./testkit/peer.ts";
import { CLIENT, issuer, PoolBed, SERVER_AT, type TestRequest } from "./testkit/pool.ts";

const messages = (requests: readonly TestRequest[]) => requests.map(({ failure }) => failure?.message ?? null);

Deno.test("dataplane 3: all requests that wait for a connection fail with it (the Rust ztunnel lets them try one after the other)", () => {
  const bed = new PoolBed();
  bed.served.listener.close();
  const requests = [bed.request(), bed.request(), bed.request()];
  bed.memory.runUntilIdle();
  assert.deepEqual(messages(requests), Array(3).fill("io error: Connection refused (os error 111)"));
  bed.assertClean();
});

Deno.test("after a failure the next request makes another attempt", () => {
  const bed = new PoolBed();
  bed.credentials.ready = null;
  const first = bed.request();
  bed.credentials.refuse("no");
  assert.deepEqual(first.failure, {
    flag: "IDENTITY_ERROR",
    origin: "own",
    ending: { by: "us", how: "identity", phase: "connecting" },
    message: "identity error: no",
  });
  bed.credentials.ready = issuer.credential(CLIENT);
  bed.hold(1);
  bed.dropPool();
  bed.assertClean();
});

Deno.test("a request from inside onTunnelFailure makes an attempt of its own", () => {
  const bed = new PoolBed();
  bed.credentials.ready = null;
  const first = bed.request();
  const again: TestRequest[] = [];
  first.onTunnelFailure = () => void again.push(bed.request());
  bed.credentials.refuse("no");
  assert.equal(bed.credentials.waiting.size, 1);
  bed.credentials.deliver(issuer.credential(CLIENT));
  bed.memory.runUntilIdle();
  assert.notEqual(again[0]!.stream, null);
  bed.dropPool();
  bed.assertClean();
});

Deno.test("a request that is aborted while the connection is made gets no event, and the connection serves the next request", () => {
  const bed = new PoolBed();
  bed.credentials.ready = null;
  const given = bed.request();
  given.opening.abort();
  given.opening.abort();
  bed.credentials.ready = issuer.credential(CLIENT);
  bed.credentials.deliver(bed.credentials.ready);
  bed.memory.runUntilIdle();
  assert.deepEqual([given.stream, given.failure], [null, null]);
  assert.deepEqual(bed.counts, [1, 0]);
  bed.hold(1);
  assert.deepEqual(bed.counts, [1, 0]);
  bed.dropPool();
  bed.assertClean();
});

Deno.test("a request that is aborted while it waits for the response sends RST_STREAM(CANCEL)", () => {
  const bed = new PoolBed({ prepare: (peer) => peer.answer = () => {} });
  const request = bed.request();
  bed.memory.runUntilIdle();
  request.opening.abort();
  bed.memory.runUntilIdle();
  assert.deepEqual(bed.peers[0]!.streams[0]!.events, [`reset peer ${ErrorCode.CANCEL}`]);
  assert.deepEqual([request.stream, request.failure], [null, null]);
  bed.memory.advance(20_000);
  assert.equal(request.failure, null);
  bed.dropPool();
  bed.assertClean();
});

Deno.test("a request without a response fails after the timeout", () => {
  const bed = new PoolBed({ prepare: (peer) => peer.answer = () => {} });
  const request = bed.request();
  bed.memory.advance(9999);
  assert.deepEqual(messages([request]), [null]);
  bed.memory.advance(1);
  assert.deepEqual(messages([request]), ["io error: the peer did not answer the CONNECT in time"]);
  bed.dropPool();
  bed.assertClean();
});

Deno.test("closing a pool aborts its dial, and waiting requests fail", () => {
  const bed = new PoolBed();
  bed.memory.blackhole(SERVER_AT);
  const requests = [bed.request(), bed.request()];
  bed.memory.runUntilIdle();
  bed.pool.close();
  assert.deepEqual(messages(requests), ["pool draining", "pool draining"]);
  bed.assertClean();
});

for (const limit of [0, 1, 3]) {
  Deno.test(`a server that allows ${limit} streams: requests sent before its SETTINGS are refused, later ones respect the limit`, () => {
    const bed = new PoolBed({ server: { maxConcurrentStreams: limit } });
    const requests = Array.from({ length: 5 }, () => bed.request());
    bed.memory.runUntilIdle();
    const refused = "h2 failed: stream error received: refused stream before processing any application logic";
    assert.deepEqual(messages(requests), [...Array(limit).fill(null), ...Array(5 - limit).fill(refused)]);
    if (limit > 0) {
      const later = [bed.request()];
      bed.memory.runUntilIdle();
      assert.deepEqual(messages(later), [null]);
      assert.equal(bed.counts[0], 2, "the first connection is full");
    }
    bed.dropPool();
    bed.assertClean();
  });
}

Deno.test("GOAWAY that refuses pending requests: streams that the server processes go on, the others are requested again on another connection", () => {
  const silent = (peer: RawPeer) => peer.answer = () => {};
  const scripts = [silent, () => {}];
  const bed = new PoolBed({ prepare: (peer) => scripts.shift()!(peer) });
  const requests = [bed.request(), bed.request()];
  bed.memory.runUntilIdle();
  const peer = bed.peers[0]!;
  peer.streams[0]!.stream.respond([[":status", "200"]], false);
  bed.memory.runUntilIdle();
  peer.duplex.write(goAway(1));
  bed.memory.runUntilIdle();
  assert.deepEqual(messages(requests), [null, null]);
  assert.ok(requests.every(({ stream }) => stream !== null));
  assert.equal(requests[0]!.log.failure, null);
  assert.deepEqual(bed.peers.map(({ streams }) => streams.length), [2, 1]);
  bed.dropPool();
  bed.assertClean();
});

Deno.test("a request that a server refuses twice with GOAWAY fails", () => {
  const bed = new PoolBed({ prepare: (peer) => peer.answer = () => {} });
  const request = bed.request();
  for (const index of [0, 1]) {
    bed.memory.runUntilIdle();
    assert.equal(request.failure, null);
    bed.peers[index]!.duplex.write(goAway(0));
  }
  bed.memory.runUntilIdle();
  assert.match(request.failure!.message, /^h2 failed: stream error received: refused stream/);
  assert.equal(bed.peers.length, 2);
  bed.dropPool();
  bed.assertClean();
});

Deno.test("observed O38: a request that a draining server does not answer within a second is repeated on another connection, once", () => {
  const bed = new PoolBed({ prepare: (peer) => peer.answer = () => {} });
  const request = bed.request();
  bed.memory.runUntilIdle();
  bed.peers[0]!.h2.drain(bed.memory.now());
  bed.memory.advance(999);
  assert.equal(bed.peers.length, 1);
  bed.memory.advance(1);
  assert.equal(bed.peers.length, 2);
  assert.deepEqual(bed.peers[0]!.streams[0]!.events, [`reset peer ${ErrorCode.CANCEL}`]);
  bed.peers[1]!.h2.drain(bed.memory.now());
  bed.memory.advance(9999);
  assert.deepEqual([request.stream, request.failure], [null, null]);
  bed.memory.advance(1);
  assert.deepEqual(messages([request]), ["io error: the peer did not answer the CONNECT in time"]);
  assert.equal(bed.peers.length, 2);
  bed.dropPool();
  bed.assertClean();
});

Deno.test("observed O38: a server that does not drain has the whole timeout, and so has one whose client drains as well", () => {
  for (const drains of [false, true]) {
    const bed = new PoolBed({ prepare: (peer) => peer.answer = () => {} });
    const request = bed.request();
    bed.memory.runUntilIdle();
    const peer = bed.peers[0]!;
    if (drains) {
      bed.pool.drain();
      peer.h2.drain(bed.memory.now());
    }
    bed.memory.advance(9000);
    assert.equal(bed.peers.length, 1);
    peer.streams[0]!.stream.respond([[":status", "200"]], false);
    bed.memory.runUntilIdle();
    assert.deepEqual([request.stream === null, request.failure], [false, null]);
    bed.dropPool();
    bed.assertClean();
  }
});

Deno.test("after GOAWAY, requests that wait for another connection get it", () => {
  const bed = new PoolBed({ maxStreamsPerConnection: 1 });
  bed.hold(1);
  bed.credentials.ready = null;
  const waiting = bed.request();
  bed.peers[0]!.h2.drain(bed.memory.now());
  bed.memory.runUntilIdle();
  assert.deepEqual([waiting.stream, waiting.failure], [null, null]);
  bed.credentials.deliver(issuer.credential(CLIENT));
  bed.memory.runUntilIdle();
  assert.notEqual(waiting.stream, null);
  bed.dropPool();
  bed.assertClean();
});

Deno.test("a connection that fails notifies its streams once and is removed from the pool", () => {
  const bed = new PoolBed();
  const held = bed.hold(3);
  bed.peers[0]!.close(true);
  bed.memory.runUntilIdle();
  for (const { log, failure } of held) {
    assert.equal(log.failure?.by, "transport");
    assert.equal(failure, null);
  }
  bed.assertClean();
});

Deno.test("a server that closes in place of its SETTINGS, with more requests than one connection carries: all of them fail", () => {
  const bed = new PoolBed({ maxStreamsPerConnection: 2, prepare: (peer) => peer.close(true) });
  const requests = Array.from({ length: 5 }, () => bed.request());
  bed.memory.runUntilIdle();
  for (const { failure } of requests) {
    assert.match(failure!.message, /^h2 failed: stream closed because of a broken pipe/);
  }
  bed.assertClean();
});

Deno.test("dataplane 2.1: a peer with another identity than expected gets no request", () => {
  const bed = new PoolBed();
  bed.served.listener.close();
  const other = spiffeId("spiffe://td/ns/ns/sa/other");
  bed.server.listen({ address: SERVER_AT }, ({ duplex }) => {
    bed.server.secure(duplex, issuer.credential(other).context, "server", 10_000, {
      onSecure: () => assert.fail("the handshake succeeded"),
      onSecureFailure() {},
    });
  });
  const request = bed.request();
  bed.memory.runUntilIdle();
  assert.equal(request.failure?.flag, "CONNECT");
  assert.match(request.failure!.message, /^io error: identity verification error: /);
  bed.assertClean();
});

Deno.test("a pool that drains: open tunnels go on, a later request gets a connection that ends with it", () => {
  const bed = new PoolBed();
  const [held] = bed.hold(1);
  bed.pool.drain();
  const [late] = bed.hold(1);
  assert.deepEqual(bed.counts, [2, 0]);
  bed.release([late!]);
  assert.deepEqual(bed.counts, [2, 1]);
  bed.release([held!]);
  assert.deepEqual(bed.counts, [2, 2]);
  bed.assertClean();
});

Deno.test("a pool that finishes while it connects aborts that", () => {
  const bed = new PoolBed();
  const request = bed.request();
  request.opening.abort();
  let finished = 0;
  bed.pool.finish(() => finished++);
  assert.equal(finished, 1);
  bed.assertClean();
});

Deno.test("a peer that stops reading delays the end of a pool by one second", () => {
  const bed = new PoolBed();
  const [held] = bed.hold(1);
  bed.peers[0]!.duplex.start({ onReadable() {}, onWritable() {}, onFailure() {} });
  // More bytes than the socket takes.
  for (let room = held!.stream!.reserve(100_000, 1 << 20); room !== null; room = null) {
    held!.stream!.commit(room.total, false);
  }
  bed.memory.runUntilIdle();
  held!.stream!.reset(ErrorCode.CANCEL);
  let finished = false;
  bed.pool.finish(() => finished = true);
  bed.memory.advance(999);
  assert.equal(finished, false);
  bed.memory.advance(1);
  assert.equal(finished, true);
  bed.assertClean();
});
