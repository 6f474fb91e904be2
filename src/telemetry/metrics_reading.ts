/** Reads an isolate's metrics in slices, so that many series block its event loop for one slice at most. */
import type { Cell, HistogramCell, Metrics, MetricsSnapshot } from "./metrics.ts";
import type { TrafficSeries } from "./traffic_metrics.ts";

/** A slice ends with the item that reaches one of these limits. An item has up to 3 KB of labels. */
const SLICE_ITEMS = 256;
const SLICE_MILLIS = 2;

/** A part of the metrics. */
export interface MetricsSlice {
  readonly part: MetricsSnapshot;
  /** This is the last slice. */
  readonly ended: boolean;
}

interface CollectedMetrics {
  readonly cells: Cell[];
  readonly histograms: HistogramCell[];
  readonly traffic: TrafficSeries[];
  readonly removed: TrafficSeries[];
}

/** A reading in progress. */
export class MetricsReading {
  readonly #now: () => number;

  readonly #items: Iterator<(into: CollectedMetrics) => void, void, undefined>;

  /** `now`: ms of a monotonic clock. */
  constructor(metrics: Metrics, now: () => number) {
    this.#now = now;
    this.#items = itemsOf(metrics, now());
  }

  /** The next slice. */
  next(): MetricsSlice {
    const part: CollectedMetrics = { cells: [], histograms: [], traffic: [], removed: [] };
    const end = this.#now() + SLICE_MILLIS;
    let items = 0;
    do {
      const item = this.#items.next();
      if (item.done) return { part, ended: true };
      item.value(part);
    } while (++items < SLICE_ITEMS && this.#now() < end);
    return { part, ended: false };
  }
}

function* itemsOf(metrics: Metrics, now: number): Generator<(into: CollectedMetrics) => void, void, undefined> {
  for (const cell of metrics.cells()) yield ({ cells }) => cells.push(cell);
  for (const cell of metrics.histograms()) yield ({ histograms }) => histograms.push(cell);
  for (const { series, last } of metrics.traffic.read(now)) {
    yield ({ traffic, removed }) => (last ? removed : traffic).push(series);
  }
}
