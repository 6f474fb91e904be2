import { strict as assert } from "node:assert";
import type { PathMeasure } from "../net/network_path.ts";
import { Pacing } from "./pacing.ts";

const MOST = 1 << 20;

function make() {
  const calls: string[] = [];
  const bulk: number[] = [];
  let measure: PathMeasure | null = null;
  const pacing = new Pacing({
    noteRoundTrip: (ms) => void calls.push(`round trip ${ms}`),
    limitGathered: (bytes) => void calls.push(`gather ${bytes}`),
  }, {
    measure: () => {
      calls.push("measure");
      return measure;
    },
    countSegments: () => null,
    limitUnsent: (bytes) => void calls.push(`unsent ${bytes}`),
  }, () => bulk.push(calls.length));
  const take = () => calls.splice(0);
  return {
    pacing,
    take,
    bulk,
    path: (roundTrip: number, deliveryRate: number) => measure = { roundTrip, deliveryRate },
  };
}

Deno.test("pacing: nothing is measured while the kernel takes all that is offered", () => {
  const { pacing, take } = make();
  for (let now = 0; now < 5000; now += 10) pacing.flushed("empty", now);
  assert.deepEqual(take(), []);
});

Deno.test("pacing: the limit of a slow path is what it delivers in 20 ms, or in half of its round trip", () => {
  for (const [roundTrip, rate, bytes] of [[20, 1250, 32_768], [20, 5000, 100_000], [200, 5000, 500_000]] as const) {
    const { pacing, take, path } = make();
    path(roundTrip, rate);
    pacing.flushed("blocked", 0);
    assert.deepEqual(take(), ["measure", `round trip ${roundTrip}`, `gather ${bytes}`, `unsent ${bytes}`]);
  }
});

Deno.test("pacing: a fast path has no limit, and the kernel keeps its default", () => {
  const { pacing, take, path } = make();
  path(0.05, 1_000_000);
  pacing.flushed("blocked", 0);
  assert.deepEqual(take(), ["measure", "round trip 0.05", "gather null"]);
});

Deno.test("pacing: a slow path is measured every 10 ms; the kernel's limit follows changes by a quarter", () => {
  const { pacing, take, path } = make();
  path(20, 5000);
  pacing.flushed("blocked", 0);
  take();
  pacing.flushed("blocked", 9);
  assert.deepEqual(take(), []);
  path(20, 6000);
  pacing.flushed("empty", 10);
  assert.deepEqual(take(), ["measure", "round trip 20", "gather 120000"]);
  path(20, 6300);
  pacing.flushed("blocked", 20);
  assert.deepEqual(take(), ["measure", "round trip 20", "gather 126000", "unsent 126000"]);
});

Deno.test("pacing: a path that has become fast loses its limits, and is not measured any more", () => {
  const { pacing, take, path } = make();
  path(20, 5000);
  pacing.flushed("blocked", 0);
  take();
  path(1, 1_000_000);
  pacing.flushed("empty", 50);
  assert.deepEqual(take(), ["measure", "round trip 1", "gather null", `unsent ${0x7fffffff}`]);
  pacing.flushed("empty", 100);
  assert.deepEqual(take(), []);
});

Deno.test("pacing: a path without a measured rate gets no limit", () => {
  const { pacing, take, path } = make();
  pacing.flushed("blocked", 0);
  path(20, 0);
  pacing.flushed("blocked", 20);
  assert.deepEqual(take(), ["measure", "measure"]);
});

Deno.test("pacing: a receiver of bulk measures the round trip early, and then every 4 MiB", () => {
  const { pacing, take, path } = make();
  path(50, 0);
  pacing.received(100_000);
  assert.deepEqual(take(), []);
  pacing.received(100_000);
  assert.deepEqual(take(), ["measure", "round trip 50"]);
  pacing.received(4 * MOST - 1);
  assert.deepEqual(take(), []);
  pacing.received(1);
  assert.deepEqual(take(), ["measure", "round trip 50"]);
});

Deno.test("pacing: bulk is reported in both directions, on a long round trip only", () => {
  const { pacing, bulk, path } = make();
  path(1.9, 1000);
  pacing.flushed("blocked", 0);
  pacing.received(MOST);
  assert.equal(bulk.length, 0);
  path(2, 1000);
  pacing.flushed("blocked", 10);
  assert.equal(bulk.length, 1);
  pacing.received(4 * MOST);
  assert.equal(bulk.length, 2);
});
