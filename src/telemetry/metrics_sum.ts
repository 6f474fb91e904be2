/**
 * The values of one scrape: sums over all isolates, whose snapshots arrive in slices.
 *
 * A series that one worker has removed may still be counted by another. Then the sum must not decrease, which a scraper
 * would take for a restart. {@link RemovedTraffic} keeps the removed counts until no worker has the series.
 */
import type { Cell, HistogramCell, MetricsSnapshot } from "./metrics.ts";
import { addTraffic, copyTraffic, type TrafficSeries } from "./traffic_metrics.ts";

/** Adds up snapshots. */
export class MetricsSum {
  readonly #cells = new Map<string, Cell>();
  readonly #histograms = new Map<string, HistogramCell>();
  readonly #traffic = new Map<string, TrafficSeries>();
  readonly #removed = new Map<string, TrafficSeries>();

  /** Adds a snapshot of any isolate. It is copied, as the isolate may continue to count. */
  add({ cells, histograms, traffic, removed }: MetricsSnapshot): void {
    for (const cell of cells) {
      const sum = this.#cells.get(keyOf(cell));
      if (sum === undefined) this.#cells.set(keyOf(cell), { ...cell });
      else sum.value += cell.value;
    }
    for (const cell of histograms) {
      const sum = this.#histograms.get(keyOf(cell));
      if (sum === undefined) this.#histograms.set(keyOf(cell), { ...cell, counts: [...cell.counts] });
      else addHistogram(sum, cell);
    }
    for (const series of traffic) addTo(this.#traffic, series);
    for (const series of removed) addTo(this.#removed, series);
  }

  /** The sums. Called once, when all snapshots have been added. */
  finish(removedTraffic: RemovedTraffic = new RemovedTraffic()): MetricsSnapshot {
    removedTraffic.settle(this.#traffic, this.#removed);
    return {
      cells: [...this.#cells.values()],
      histograms: [...this.#histograms.values()],
      traffic: [...this.#traffic.values()],
      removed: [],
    };
  }
}

/** Counts of series that some workers have removed and others have not, kept from scrape to scrape. */
export class RemovedTraffic {
  /** Used until the next {@link settle}: series that no worker counts any more are removed then. */
  #kept = new Map<string, TrafficSeries>();

  /** Adds the kept counts and `removed`, which is shown for the last time, to `traffic`, which is still counted. */
  settle(traffic: Map<string, TrafficSeries>, removed: ReadonlyMap<string, TrafficSeries>): void {
    const kept = new Map<string, TrafficSeries>();
    for (const from of [this.#kept, removed]) {
      for (const series of from.values()) if (traffic.has(series.labels)) addTo(kept, series);
    }
    for (const series of this.#kept.values()) {
      if (traffic.has(series.labels) || removed.has(series.labels)) addTo(traffic, series);
    }
    for (const series of removed.values()) addTo(traffic, series);
    this.#kept = kept;
  }
}

function addTo(sums: Map<string, TrafficSeries>, series: TrafficSeries): void {
  const sum = sums.get(series.labels);
  if (sum === undefined) sums.set(series.labels, copyTraffic(series));
  else addTraffic(sum, series);
}

function keyOf({ family, labels }: Cell | HistogramCell): string {
  return `${family}{${labels}}`;
}

function addHistogram(sum: HistogramCell, cell: HistogramCell): void {
  cell.counts.forEach((count, index) => sum.counts[index] = (sum.counts[index] ?? 0) + count);
  sum.sum += cell.sum;
}
