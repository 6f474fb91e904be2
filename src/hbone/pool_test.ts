/** Which connections a pool makes, shares and closes (`docs/spec/dataplane.md` 3, 10.5). */
import { strict as assert } from "node:assert";
import { assertSameBytes } from "../net/testkit/contract_kit.ts";
import { parseIp } from "../net/address.ts";
import { pattern, sendAll } from "../h2/testkit/pair.ts";
import { spiffeId } from "./testkit/identity.ts";
import { CLIENT, ONE, PoolBed, SERVER, TestRequest } from "./testkit/pool.ts";

Deno.test("dataplane PO-01 streams share a connection, also later ones; the pool closes it", () => {
  const bed = new PoolBed({ maxStreamsPerConnection: 3 });
  bed.release(bed.hold(2));
  assert.deepEqual(bed.counts, [1, 0]);
  bed.release(bed.hold(2));
  assert.deepEqual(bed.counts, [1, 0]);
  bed.dropPool();
  assert.deepEqual(bed.counts, [1, 1]);
  bed.assertClean();
});

Deno.test("dataplane PO-02 requests from different source addresses do not share a connection", () => {
  const bed = new PoolBed({ maxStreamsPerConnection: 3 });
  bed.hold(1);
  bed.hold(1, parseIp("10.0.0.9")!);
  assert.deepEqual(bed.counts, [2, 0]);
  bed.dropPool();
  assert.deepEqual(bed.counts, [2, 2]);
  bed.assertClean();
});

Deno.test("identity S38: requests with different source identities or expected peers do not share a connection", () => {
  const bed = new PoolBed();
  const OTHER = spiffeId("spiffe://td/ns/ns/sa/other");
  const requests = [
    new TestRequest(bed.pool, ONE),
    new TestRequest(bed.pool, ONE),
    new TestRequest(bed.pool, ONE, OTHER),
    new TestRequest(bed.pool, ONE, CLIENT, [SERVER, OTHER]),
  ];
  bed.memory.runUntilIdle();
  assert.deepEqual(requests.map(({ failure }) => failure), [null, null, null, null]);
  assert.equal(bed.pool.size, 3);
  bed.dropPool();
  bed.assertClean();
});

Deno.test("dataplane PO-03 full connections are used again once they have room (the Rust ztunnel drops them: 2/2, 5/4, 5/5)", () => {
  const bed = new PoolBed({ maxStreamsPerConnection: 2 });
  bed.release(bed.hold(4));
  assert.deepEqual(bed.counts, [2, 0]);
  bed.release(bed.hold(5));
  assert.deepEqual(bed.counts, [3, 0]);
  bed.dropPool();
  assert.deepEqual(bed.counts, [3, 3]);
  bed.assertClean();
});

Deno.test("dataplane PO-04 after the server's GOAWAY a new connection is made", () => {
  const bed = new PoolBed({ maxStreamsPerConnection: 2 });
  const held = bed.hold(1);
  assert.deepEqual(bed.counts, [1, 0]);
  bed.peers[0]!.h2.drain(bed.memory.now());
  bed.release(held);
  assert.deepEqual(bed.counts, [1, 1]);
  bed.hold(1);
  assert.deepEqual(bed.counts, [2, 1]);
  bed.dropPool();
  bed.assertClean();
});

Deno.test("dataplane PO-05 one stream each: two at once make two connections (the Rust ztunnel drops both afterwards)", () => {
  const bed = new PoolBed({ maxStreamsPerConnection: 1 });
  bed.release(bed.hold(2));
  assert.deepEqual(bed.counts, [2, 0]);
  bed.dropPool();
  assert.deepEqual(bed.counts, [2, 2]);
  bed.assertClean();
});

Deno.test("dataplane PO-06 a hundred requests at once use one connection", () => {
  const bed = new PoolBed({ maxStreamsPerConnection: 101 });
  bed.hold(100);
  assert.deepEqual(bed.counts, [1, 0]);
  bed.dropPool();
  assert.deepEqual(bed.counts, [1, 1]);
  bed.assertClean();
});

Deno.test("dataplane PO-07 a hundred keys at once use a hundred connections", () => {
  const bed = new PoolBed();
  const requests = Array.from({ length: 100 }, (_, i) => bed.request(parseIp(`10.1.0.${i}`)!));
  bed.memory.runUntilIdle();
  assert.ok(requests.every(({ stream }) => stream !== null));
  assert.deepEqual(bed.counts, [100, 0]);
  bed.dropPool();
  assert.deepEqual(bed.counts, [100, 100]);
  bed.assertClean();
});

Deno.test("dataplane PO-08 three hundred requests over three keys at once: one connection for each key", () => {
  const bed = new PoolBed();
  const requests = Array.from({ length: 300 }, (_, i) => bed.request(parseIp(`10.1.0.${i % 3}`)!));
  bed.memory.runUntilIdle();
  assert.ok(requests.every(({ stream }) => stream !== null));
  assert.deepEqual(bed.counts, [3, 0]);
  bed.dropPool();
  assert.deepEqual(bed.counts, [3, 3]);
  bed.assertClean();
});

Deno.test("more requests than one connection carries make further connections at once", () => {
  const bed = new PoolBed({ maxStreamsPerConnection: 100 });
  const requests = Array.from({ length: 250 }, () => bed.request());
  bed.memory.step();
  assert.equal(bed.pool.size, 3);
  bed.memory.runUntilIdle();
  assert.ok(requests.every(({ stream }) => stream !== null));
  assert.deepEqual(bed.counts, [3, 0]);
  assert.deepEqual(bed.peers.map(({ streams }) => streams.length), [100, 100, 50]);
  bed.dropPool();
  bed.assertClean();
});

Deno.test("dataplane PO-09 a connection that was not used for 100 ms is closed with GOAWAY", () => {
  const bed = new PoolBed({ maxStreamsPerConnection: 3, idle: 100 });
  bed.release(bed.hold(2));
  bed.memory.advance(99);
  assert.deepEqual(bed.counts, [1, 0]);
  bed.memory.advance(1);
  assert.deepEqual(bed.counts, [1, 1]);
  assert.ok(bed.peers[0]!.events.includes("goaway 0 0"));
  bed.assertClean();
});

Deno.test("dataplane PO-10 a long-lived stream keeps its connection in use (the Rust ztunnel opens a second one)", () => {
  const bed = new PoolBed({ maxStreamsPerConnection: 4, idle: 100 });
  const [long] = bed.hold(1);
  for (let i = 0; i < 2; i++) bed.release(bed.hold(1));
  assert.deepEqual(bed.counts, [1, 0]);
  bed.memory.advance(1000);
  for (let i = 0; i < 4; i++) bed.release(bed.hold(1));
  assert.deepEqual(bed.counts, [1, 0]);
  bed.release([long!]);
  bed.memory.advance(200);
  assert.deepEqual(bed.counts, [1, 1]);
  bed.assertClean();
});

Deno.test("dataplane PO-11 a stream carries bytes: greeting, echo, and nothing more after the pool is closed", () => {
  const bed = new PoolBed({
    maxStreamsPerConnection: 3,
    prepare: (peer) => {
      peer.answer = (log) => {
        log.stream.respond([[":status", "200"]], false);
        sendAll(log, new TextEncoder().encode("poolsrv\n"), false);
      };
    },
  });
  const [request] = bed.hold(1);
  sendAll(request!.log, new TextEncoder().encode("abcde"), false);
  bed.memory.runUntilIdle();
  assert.equal(request!.log.text, "poolsrv\n");
  assert.equal(bed.peers[0]!.streams[0]!.text, "abcde");
  sendAll(bed.peers[0]!.streams[0]!, new TextEncoder().encode("abcde"), false);
  bed.memory.runUntilIdle();
  bed.dropPool();
  assert.equal(request!.log.text, "poolsrv\nabcde");
  assert.equal(request!.log.failure?.by, "transport");
  bed.assertClean();
});

Deno.test("bytes that a tunnel has written before the pool finishes are still sent", () => {
  const bed = new PoolBed();
  const [request] = bed.hold(1);
  const bytes = pattern(10_000);
  sendAll(request!.log, bytes);
  bed.peers[0]!.streams[0]!.stream.end();
  let finished = false;
  bed.pool.finish(() => finished = true);
  bed.memory.runUntilIdle();
  assert.equal(finished, true);
  assertSameBytes(bed.peers[0]!.streams[0]!.body, bytes);
  bed.assertClean();
});

Deno.test("pool: after a burst of streams all unused connections but one are closed within seconds", () => {
  const bed = new PoolBed({ maxStreamsPerConnection: 2 });
  const long = bed.hold(1);
  const burst = bed.hold(9);
  assert.deepEqual(bed.counts, [5, 0]);
  bed.memory.advance(10_000);
  bed.release(burst.slice(1));
  assert.deepEqual(bed.counts, [5, 0]);
  bed.memory.advance(2000);
  assert.deepEqual(bed.counts, [5, 3], "one is in use, one is left for the next");
  bed.hold(2);
  assert.deepEqual(bed.counts, [5, 3]);
  assert.equal(long[0]!.failure, null);
  bed.dropPool();
  bed.assertClean();
});

Deno.test("pool: connections to different peers do not count as surplus", () => {
  const bed = new PoolBed({ maxStreamsPerConnection: 1 });
  bed.memory.assign(1, parseIp("10.0.0.9")!);
  bed.release([...bed.hold(1), ...bed.hold(1, parseIp("10.0.0.9")!)]);
  bed.memory.advance(60_000);
  assert.deepEqual(bed.counts, [2, 0]);
  bed.dropPool();
  bed.assertClean();
});
