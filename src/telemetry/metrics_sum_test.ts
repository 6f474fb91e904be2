import { strict as assert } from "node:assert";
import { Metrics, type MetricsSnapshot } from "./metrics.ts";
import { MetricsReading } from "./metrics_reading.ts";
import { MetricsSum, RemovedTraffic } from "./metrics_sum.ts";
import type { TrafficSeries } from "./traffic_metrics.ts";

const EMPTY: MetricsSnapshot = { cells: [], histograms: [], traffic: [], removed: [] };

function series(labels: string, sent: number): TrafficSeries {
  return { labels, flagAt: 0, opened: 0, received: 0, sent, closed: {}, failed: {} };
}

/** Bytes sent by labels, after a scrape of these snapshots. */
function scrape(removedTraffic: RemovedTraffic, ...parts: readonly Partial<MetricsSnapshot>[]): Record<string, number> {
  const sum = new MetricsSum();
  for (const part of parts) sum.add({ ...EMPTY, ...part });
  return Object.fromEntries(sum.finish(removedTraffic).traffic.map(({ labels, sent }) => [labels, sent]));
}

Deno.test("metrics sum: a series that one worker removes and another does not keeps its value", () => {
  const removedTraffic = new RemovedTraffic();
  assert.deepEqual(scrape(removedTraffic, { traffic: [series("a", 5)] }, { traffic: [series("a", 2)] }), { a: 7 });
  assert.deepEqual(scrape(removedTraffic, { removed: [series("a", 5)] }, { traffic: [series("a", 2)] }), { a: 7 });
  assert.deepEqual(scrape(removedTraffic, {}, { traffic: [series("a", 3)] }), { a: 8 });
  assert.deepEqual(scrape(removedTraffic, { traffic: [series("a", 1)] }, { traffic: [series("a", 3)] }), { a: 9 });
  assert.deepEqual(scrape(removedTraffic, { traffic: [series("a", 1)] }, { removed: [series("a", 3)] }), { a: 9 });
  assert.deepEqual(scrape(removedTraffic, { removed: [series("a", 1)] }, {}), { a: 9 });
  assert.deepEqual(scrape(removedTraffic, {}, {}), {});
  assert.deepEqual(scrape(removedTraffic, { traffic: [series("a", 1)] }, {}), { a: 1 });
});

Deno.test("metrics sum: a series that all workers remove is shown once more", () => {
  const removedTraffic = new RemovedTraffic();
  assert.deepEqual(scrape(removedTraffic, { removed: [series("a", 5)] }, { removed: [series("a", 2)] }), { a: 7 });
  assert.deepEqual(scrape(removedTraffic, {}, {}), {});
});

Deno.test("metrics reading: the slices contain all metrics, each a bounded number of items", () => {
  const metrics = new Metrics();
  for (let i = 0; i < 1000; i++) metrics.cell("istio_xds_message", `type-${i}`).value = i;
  metrics.histogram("istio_dns_upstream_request_duration_seconds", "a", "udp", "s", "r");
  const reading = new MetricsReading(metrics, () => 0);
  const parts: MetricsSnapshot[] = [];
  for (let ended = false; !ended;) {
    const slice = reading.next();
    parts.push(slice.part);
    ended = slice.ended;
  }
  assert.deepEqual(parts.map(({ cells }) => cells.length), [256, 256, 256, 232]);
  const sum = new MetricsSum();
  for (const part of parts) sum.add(part);
  assert.deepEqual(sum.finish(), metrics.snapshot());
});

Deno.test("metrics reading: a slice ends when its time is over", () => {
  const metrics = new Metrics();
  for (let i = 0; i < 100; i++) metrics.cell("istio_xds_message", `type-${i}`);
  let now = 0;
  const reading = new MetricsReading(metrics, () => now++);
  assert.equal(reading.next().part.cells.length, 2);
});
