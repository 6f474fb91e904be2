/** When a pool adds connections to spread streams, and when it closes them. */
import { strict as assert } from "node:assert";
import { pattern, sendAll } from "../h2/testkit/pair.ts";
import type { NetworkPath } from "../net/network_path.ts";
import { PoolBed, SERVER_AT, type TestRequest } from "./testkit/pool.ts";

const PAYLOAD = pattern(100_000);

/** A path of which a share of the segments is sent again. The counters grow whenever they are read. */
class Path implements NetworkPath {
  readonly #roundTrip: number;
  readonly #lossShare: number;
  #sent = 0;

  constructor(roundTrip: number, lossShare: number) {
    this.#roundTrip = roundTrip;
    this.#lossShare = lossShare;
  }

  measure() {
    return { roundTrip: this.#roundTrip, deliveryRate: 1000 };
  }

  countSegments() {
    this.#sent += 1000;
    return { sent: this.#sent, retransmitted: this.#sent * this.#lossShare, received: 0, outOfOrder: 0 };
  }

  limitUnsent(): void {}
}

function bedOn(roundTrip: number, lossShare: number): PoolBed {
  const bed = new PoolBed();
  bed.client.path = new Path(roundTrip, lossShare);
  return bed;
}

/** The peer sends on all streams that were opened first on each connection, for `seconds`. */
function download(bed: PoolBed, seconds: number): void {
  for (let n = 0; n < 4 * seconds; n++) {
    for (const { streams, end } of bed.peers) {
      if (end !== null) continue;
      for (const log of streams) if (!log.stream.closed) sendAll(log, PAYLOAD, false);
    }
    bed.memory.advance(250);
  }
}

function streamCounts(bed: PoolBed): number[] {
  return bed.peers.map(({ streams }) => streams.filter(({ stream }) => !stream.closed).length);
}

function assertIntact(requests: readonly TestRequest[]): void {
  assert.ok(requests.every(({ log }) => log.failure === null));
}

Deno.test("pool: on a path with losses, bulk streams get further connections, and the next streams are spread", () => {
  const bed = bedOn(20, 0.01);
  const first = bed.hold(3);
  download(bed, 4);
  assert.deepEqual(streamCounts(bed), [3, 0, 0, 0], "open streams stay where they are");
  assertIntact(first);
  bed.release(first);
  const second = bed.hold(4);
  assert.deepEqual(streamCounts(bed), [1, 1, 1, 1]);
  bed.release(second);
  bed.memory.advance(60_000);
  assert.deepEqual(bed.counts, [4, 0], "they are kept while the losses are remembered");
  bed.memory.advance(600_000);
  assert.deepEqual(bed.counts, [4, 4]);
  bed.assertClean();
});

Deno.test("pool: on a long path without losses, bulk gets one more connection for other streams", () => {
  const bed = bedOn(20, 0);
  const bulk = bed.hold(3);
  download(bed, 4);
  const others = bed.hold(3);
  assert.deepEqual(streamCounts(bed), [3, 3]);
  bed.release([...bulk, ...others]);
  bed.memory.advance(5000);
  assert.deepEqual(bed.counts, [2, 1], "of two unused connections one is closed within seconds");
  bed.dropPool();
  bed.assertClean();
});

Deno.test("pool: on a short path bulk gets no further connection, whatever is lost", () => {
  const bed = bedOn(0.3, 0.01);
  bed.hold(3);
  download(bed, 10);
  bed.hold(3);
  assert.deepEqual(streamCounts(bed), [6]);
  bed.dropPool();
  bed.assertClean();
});

Deno.test("pool: connections that spread streams count against the bound of the loop until they have ended", () => {
  const bed = bedOn(20, 0.01);
  const taken = Array.from({ length: 126 }, () => bed.loop.extraConnections.take());
  assert.ok(taken.every((ok) => ok));
  bed.hold(3);
  download(bed, 4);
  assert.deepEqual(bed.counts, [3, 0], "3 are missing, 2 are allowed");
  bed.dropPool();
  assert.ok(bed.loop.extraConnections.take());
  assert.ok(bed.loop.extraConnections.take());
  assert.ok(!bed.loop.extraConnections.take());
  bed.assertClean();
});

Deno.test("pool: a failed further connection does not disturb open streams, and is not repeated at once", () => {
  const bed = bedOn(20, 0.01);
  const requests = bed.hold(3);
  bed.served.listener.close();
  download(bed, 20);
  assert.deepEqual(streamCounts(bed), [3]);
  assertIntact(requests);
  bed.dropPool();
  bed.assertClean();
});

Deno.test("pool: connections that are being made to spread streams end with the pool", () => {
  const bed = bedOn(20, 0.01);
  bed.hold(3);
  bed.memory.blackhole(SERVER_AT);
  download(bed, 4);
  assert.equal(bed.pool.size, 4);
  bed.dropPool();
  bed.assertClean();
});
