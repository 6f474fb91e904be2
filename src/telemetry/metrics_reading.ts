/** Reads an isolate's metrics in slices, so that many series block its event loop for one slice at most. */
import type { Cell, HistogramCell, Metrics, MetricsSnapshot } from "./metrics.ts";
import type { TrafficSeries } from "./traffic_metrics.ts";

/** A slice ends with the item that reaches one of these limits. An item has up to 3 KB of labels. */
const SLICE_ITEMS = 256;
const SLICE_MILLIS = 2;

export interface MetricsSlice {
  readonly part: MetricsSnapshot;
  /** This is the last slice. */
  readonly ended: boolean;
}

interface Gathered {
  readonly cells: Cell[];
  readonly histograms: HistogramCell[];
  readonly traffic: TrafficSeries[];
  readonly leaving: TrafficSeries[];
}

export class MetricsReading {
  readonly #items: Iterator<(into: Gathered) => void, void, undefined>;

  /** `now`: ms of a monotonic clock. */
  constructor(metrics: Metrics, private readonly now: () => number) {
    this.#items = itemsOf(metrics, now());
  }

  next(): MetricsSlice {
    const part: Gathered = { cells: [], histograms: [], traffic: [], leaving: [] };
    const end = this.now() + SLICE_MILLIS;
    let items = 0;
    do {
      const item = this.#items.next();
      if (item.done) return { part, ended: true };
      item.value(part);
    } while (++items < SLICE_ITEMS && this.now() < end);
    return { part, ended: false };
  }
}

function* itemsOf(metrics: Metrics, now: number): Generator<(into: Gathered) => void, void, undefined> {
  for (const cell of metrics.cells()) yield ({ cells }) => cells.push(cell);
  for (const cell of metrics.histograms()) yield ({ histograms }) => histograms.push(cell);
  for (const { series, last } of metrics.traffic.read(now)) {
    yield ({ traffic, leaving }) => (last ? leaving : traffic).push(series);
  }
}
