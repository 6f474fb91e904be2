import { strict as assert } from "node:assert";
import { Metrics, type MetricsSnapshot } from "../telemetry/metrics.ts";
import { type MetricsPage, MetricsPages } from "./metrics_pages.ts";

/** Makes numbered snapshots when the test triggers it. */
function bed() {
  const making: PromiseWithResolvers<MetricsSnapshot>[] = [];
  const pages = new MetricsPages(() => {
    const one = Promise.withResolvers<MetricsSnapshot>();
    making.push(one);
    return one.promise;
  });
  const finish = (index: number) => making[index]!.resolve(numbered(index));
  return { making, pages, finish };
}

function numbered(number: number): MetricsSnapshot {
  const metrics = new Metrics();
  metrics.cell("process_open_fds").value = number;
  return metrics.snapshot();
}

const textOf = ({ snapshot }: MetricsPage) => `text ${snapshot.cells[0]!.value}`;

async function settle() {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

Deno.test("metrics pages: one is made at a time, and shared by all scrapes that arrived before it was begun", async () => {
  const { making, pages, finish } = bed();
  const first = pages.take();
  const later = [pages.take(), pages.take()];
  await settle();
  assert.equal(making.length, 1);
  finish(0);
  assert.equal(textOf(await first), "text 0");
  await settle();
  assert.equal(making.length, 2);
  finish(1);
  assert.deepEqual((await Promise.all(later)).map(textOf), ["text 1", "text 1"]);
  assert.equal(pages.held, 2);
});

Deno.test("metrics pages: at most four snapshots are held for stalled readers; further scrapes share the newest", async () => {
  const { making, pages, finish } = bed();
  const taken = [];
  for (let i = 0; i < 10; i++) {
    const page = pages.take();
    if (making.length > i) finish(i);
    taken.push(await page);
  }
  assert.deepEqual(taken.map(textOf).slice(2, 6), ["text 2", "text 3", "text 3", "text 3"]);
  assert.equal(pages.held, 4);
  for (const page of taken) pages.release(page);
  assert.equal(pages.held, 0);
  const again = pages.take();
  finish(4);
  assert.equal(textOf(await again), "text 4");
});

Deno.test("metrics pages: a failure concerns the scrapes that waited, not later ones", async () => {
  const { making, pages, finish } = bed();
  const first = pages.take(), second = pages.take();
  making[0]!.reject(new Error("a worker is gone"));
  await assert.rejects(first, /a worker is gone/);
  await settle();
  finish(1);
  assert.equal(textOf(await second), "text 1");
  assert.equal(pages.held, 1);
});
