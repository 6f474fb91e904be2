/**
 * The metrics of one isolate. Code that counts keeps its cell and writes `cell.value++`, without a lookup. Snapshots
 * are plain data: workers send theirs to the main isolate, which merges and renders them.
 */
import { label } from "./label_text.ts";
import { type CellName, FAMILIES, type FamilyName, type HistogramName } from "./metric_catalogue.ts";
import { TrafficMetrics, type TrafficSnapshot } from "./traffic_metrics.ts";

/** The value of a counter or gauge; an integer. */
export interface Cell {
  readonly family: CellName;
  /** Rendered, `a="1",b="2"`. */
  readonly labels: string;
  value: number;
}

/** The values of a histogram. */
export interface HistogramCell {
  readonly family: HistogramName;
  readonly labels: string;
  /** Observations per bucket, not cumulative; the last bucket is above all bounds. */
  readonly counts: number[];
  sum: number;
}

/** Values of metrics, as plain data. */
export interface MetricsSnapshot {
  readonly cells: readonly Cell[];
  readonly histograms: readonly HistogramCell[];
  readonly traffic: TrafficSnapshot;
  /** Series with their last values: the isolate has removed them. */
  readonly removed: TrafficSnapshot;
}

/** The value of a label; null, undefined and the empty text become `unknown`. */
type LabelValue = string | null | undefined;

/** Label sets of one family; further ones are counted together, with all labels `unknown`. */
const CELLS_MAX = 10_000;

/** All metrics of one isolate. */
export class Metrics {
  readonly #cells = new Map<FamilyName, Map<string, Cell>>();
  readonly #histograms = new Map<FamilyName, Map<string, HistogramCell>>();

  constructor(readonly traffic = new TrafficMetrics()) {}

  /**
   * The cell of these label values, in the order of the catalogue. A new one has the value 0 and is exported from now
   * on.
   */
  cell(family: CellName, ...values: LabelValue[]): Cell {
    return find(this.#cells, family, values, (labels) => ({ family, labels, value: 0 }));
  }

  /** The histogram of these label values, in the order of the catalogue. */
  histogram(family: HistogramName, ...values: LabelValue[]): HistogramCell {
    const counts = () => Array<number>(FAMILIES[family].buckets.length + 1).fill(0);
    return find(this.#histograms, family, values, (labels) => ({ family, labels, counts: counts(), sum: 0 }));
  }

  snapshot(): MetricsSnapshot {
    return {
      cells: [...this.cells()],
      histograms: [...this.histograms()],
      traffic: this.traffic.snapshot(),
      removed: [],
    };
  }

  *cells(): Generator<Cell, void, undefined> {
    for (const cells of this.#cells.values()) yield* cells.values();
  }

  *histograms(): Generator<HistogramCell, void, undefined> {
    for (const cells of this.#histograms.values()) yield* cells.values();
  }
}

function find<N extends FamilyName, C>(
  families: Map<FamilyName, Map<string, C>>,
  family: N,
  values: readonly LabelValue[],
  make: (labels: string) => C,
): C {
  const names: readonly string[] = FAMILIES[family].labels;
  if (values.length !== names.length) {
    throw new RangeError(`${family} has ${names.length} labels, not ${values.length}`);
  }
  let cells = families.get(family);
  if (cells === undefined) families.set(family, cells = new Map());
  const key = values.length === 1 ? values[0] ?? "" : values.join("\0");
  const cell = cells.get(key);
  if (cell !== undefined) return cell;
  const full = cells.size >= CELLS_MAX && values.some((value) => value);
  if (full) return find(families, family, names.map(() => null), make);
  const created = make(names.map((name, index) => label(name, values[index])).join(","));
  cells.set(key, created);
  return created;
}

/** Counts one observation, in the unit of the family. */
export function observe(cell: HistogramCell, value: number) {
  const buckets: readonly string[] = FAMILIES[cell.family].buckets;
  const index = buckets.findIndex((bound) => value <= Number(bound));
  const at = index < 0 ? buckets.length : index;
  cell.counts[at] = (cell.counts[at] ?? 0) + 1;
  cell.sum += value;
}
