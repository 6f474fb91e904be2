/** Pooled connections whose peer has vanished without closing them. */
import { strict as assert } from "node:assert";
import { ErrorCode } from "../h2/seam.ts";
import { PoolBed } from "./testkit/pool.ts";
import type { RawPeer } from "./testkit/peer.ts";

/** The peer reads and sends nothing any more, and its sockets stay open. */
function vanish(peer: RawPeer): void {
  peer.duplex.start({ onReadable() {}, onWritable() {}, onFailure() {} });
}

/** A pool with one unused connection, whose peer has vanished `silence` ms ago. */
function vanished(silence: number): PoolBed {
  const bed = new PoolBed();
  bed.release(bed.hold(1));
  vanish(bed.peers[0]!);
  bed.memory.advance(silence);
  return bed;
}

Deno.test("a request to a peer that has vanished moves to a new connection after three seconds", () => {
  const bed = vanished(1001);
  const request = bed.request();
  bed.memory.advance(2999);
  assert.deepEqual([request.stream, bed.peers.length], [null, 1]);
  bed.memory.advance(1);
  assert.notEqual(request.stream, null);
  assert.equal(bed.peers.length, 2);
  bed.dropPool();
  bed.assertClean();
});

Deno.test("a peer that has vanished gets no new streams, and all its unanswered requests move", () => {
  const bed = vanished(1001);
  const early = bed.request();
  bed.memory.advance(2500);
  const late = bed.request();
  bed.memory.advance(500);
  assert.notEqual(early.stream, null);
  assert.equal(late.stream, null);
  const next = bed.hold(1);
  bed.memory.advance(500);
  assert.notEqual(late.stream, null);
  assert.equal(bed.peers.length, 2, "one further connection serves all");
  assert.equal(bed.peers[1]!.streams.length, 3);
  bed.release([early, late, ...next]);
  bed.dropPool();
  bed.assertClean();
});

Deno.test("a request to a peer that vanishes right after it has sent something moves too, when a PING is unanswered", () => {
  const bed = vanished(900);
  const request = bed.request();
  bed.memory.advance(1000 + 2999);
  assert.deepEqual([request.stream, bed.peers.length], [null, 1]);
  bed.memory.advance(1001);
  assert.notEqual(request.stream, null);
  assert.equal(bed.peers.length, 2);
  bed.dropPool();
  bed.assertClean();
});

Deno.test("a request moves once: when the second connection does not answer either, it fails after its time limit", () => {
  let connections = 0;
  const bed = new PoolBed({
    prepare: (peer) => {
      if (++connections > 1) peer.answer = () => vanish(peer);
    },
  });
  bed.release(bed.hold(1));
  vanish(bed.peers[0]!);
  bed.memory.advance(1001);
  const request = bed.request();
  bed.memory.advance(3000 + 9_999);
  assert.deepEqual([request.failure, bed.peers.length], [null, 2]);
  bed.memory.advance(1);
  assert.match(request.failure!.message, /the peer did not answer the CONNECT in time/);
  assert.equal(bed.peers.length, 2);
  bed.dropPool();
  bed.assertClean();
});

for (
  const { silence, what, pings } of [
    { silence: 1000, what: "no PING", pings: 0 },
    { silence: 1001, what: "a PING in the same write", pings: 1 },
  ]
) {
  Deno.test(`a request after a silence of ${silence} ms is sent with ${what}`, () => {
    const bed = new PoolBed();
    bed.release(bed.hold(1));
    bed.memory.advance(silence);
    const { h2, duplex } = bed.peers[0]!;
    let reads = 0, received = 0;
    const receive = h2.receive.bind(h2);
    h2.receive = (bytes, start, end, now) => {
      reads++;
      received += countPings(bytes.subarray(start, end));
      receive(bytes, start, end, now);
    };
    const request = bed.request();
    bed.memory.runUntilIdle();
    assert.notEqual(request.stream, null);
    assert.deepEqual([reads, received, duplex.failure], [1, pings, null]);
    bed.dropPool();
    bed.assertClean();
  });
}

/** Number of PING frames in whole frames. */
function countPings(bytes: Uint8Array): number {
  let count = 0;
  for (let at = 0; at < bytes.length; at += 9 + (bytes[at]! << 16 | bytes[at + 1]! << 8 | bytes[at + 2]!)) {
    if (bytes[at + 3] === 6) count++;
  }
  return count;
}

Deno.test("a silent peer that is alive but slow to answer the CONNECT keeps its request", () => {
  const answers: (() => void)[] = [];
  const bed = new PoolBed();
  bed.release(bed.hold(1));
  const peer = bed.peers[0]!;
  const answer = peer.answer;
  peer.answer = (log, headers, end) => void answers.push(() => answer(log, headers, end));
  bed.memory.advance(5000);
  const request = bed.request();
  bed.memory.advance(8000);
  assert.deepEqual([request.stream, request.failure, bed.peers.length], [null, null, 1]);
  for (const give of answers) give();
  bed.memory.runUntilIdle();
  assert.notEqual(request.stream, null);
  request.stream!.reset(ErrorCode.CANCEL);
  bed.dropPool();
  bed.assertClean();
});
