/**
 * Counters of traffic, one object per label set: found once per connection, then `series.received += n`
 * (`docs/spec/dataplane.md` 7.3, 7.5).
 *
 * Series are never removed, so that counters never fall. Their number is bounded: label sets beyond that are counted
 * together, with every label but the reporter `unknown`.
 */
import type { ResponseFlag } from "./response_flags.ts";
import { TrafficLabels, type TrafficParties, type TrafficSides } from "./traffic_labels.ts";
import type { TrafficPeer } from "./traffic_peer.ts";

/** Counts by flag; flags that never occurred are missing. */
export type ByFlag = Partial<Record<ResponseFlag, number>>;

/** The counters of one label set. Plain data: can be sent to another isolate. */
export interface TrafficSeries {
  /** All labels, with nothing between the quotes of `response_flags`. */
  readonly labels: string;
  /** Where in `labels` the flag goes. */
  readonly flagAt: number;
  opened: number;
  /** Bytes from the client towards the server. */
  received: number;
  /** Bytes from the server towards the client. */
  sent: number;
  readonly closed: ByFlag;
  readonly failed: ByFlag;
}

export type TrafficSnapshot = readonly TrafficSeries[];

/** At about 1 KB each. */
const SERIES_MAX = 50_000;

/** By reporter and security, then by service labels. */
type Known = readonly [
  Map<string, TrafficSeries>,
  Map<string, TrafficSeries>,
  Map<string, TrafficSeries>,
  Map<string, TrafficSeries>,
];

export class TrafficMetrics {
  readonly labels = new TrafficLabels();
  readonly #series = new Map<string, TrafficSeries>();
  /** The way to a series without building its text; forgotten with the peers. */
  readonly #known = new WeakMap<TrafficPeer, WeakMap<TrafficPeer, Known>>();
  #overflowed = false;

  /** `onOverflow` is called once, when the bound is met. */
  constructor(private readonly onOverflow: (bound: number) => void = () => {}, private readonly bound = SERIES_MAX) {}

  /** The counters for connections between these sides. */
  series(parties: TrafficParties, sides: TrafficSides): TrafficSeries {
    const byService = this.#byService(parties, sides);
    let series = byService.get(sides.service);
    if (series === undefined) {
      series = this.#find(parties, sides);
      byService.set(sides.service, series);
    }
    return series;
  }

  snapshot(): TrafficSnapshot {
    return [...this.#series.values()];
  }

  #byService(parties: TrafficParties, { source, destination }: TrafficSides): Map<string, TrafficSeries> {
    let byDestination = this.#known.get(source);
    if (byDestination === undefined) this.#known.set(source, byDestination = new WeakMap());
    let known = byDestination.get(destination);
    if (known === undefined) byDestination.set(destination, known = [new Map(), new Map(), new Map(), new Map()]);
    return parties.reporter === "source" ? known[parties.mutualTls ? 0 : 1] : known[parties.mutualTls ? 2 : 3];
  }

  #find(parties: TrafficParties, sides: TrafficSides): TrafficSeries {
    const text = labelText(parties, sides);
    const found = this.#series.get(text.labels);
    if (found !== undefined) return found;
    return this.#series.size < this.bound ? this.#add(text) : this.#overflow(parties);
  }

  #add(text: LabelText): TrafficSeries {
    const series = { ...text, opened: 0, received: 0, sent: 0, closed: {}, failed: {} };
    this.#series.set(text.labels, series);
    return series;
  }

  #overflow({ reporter }: TrafficParties): TrafficSeries {
    if (!this.#overflowed) {
      this.#overflowed = true;
      this.onOverflow(this.bound);
    }
    const unknown: TrafficParties = {
      reporter,
      source: null,
      derivedSource: null,
      destination: null,
      derivedDestination: null,
      service: null,
      mutualTls: false,
    };
    const text = labelText(unknown, this.labels.sides(unknown));
    return this.#series.get(text.labels) ?? this.#add(text);
  }
}

type LabelText = Pick<TrafficSeries, "labels" | "flagAt">;

function labelText(parties: TrafficParties, { source, destination, service }: TrafficSides): LabelText {
  const head = `reporter="${parties.reporter}",${source.labels},${service},${destination.labels},` +
    `request_protocol="tcp",response_flags="`;
  const policy = parties.mutualTls ? "mutual_tls" : "unknown";
  const tail = `",connection_security_policy="${policy}"`;
  // The group is missing when nobody said anything about either side.
  const silent = parties.source === null && parties.derivedSource === null && parties.destination === null &&
    parties.derivedDestination === null;
  const localities = silent ? "" : `,${source.locality},${destination.locality}`;
  return { labels: head + tail + localities, flagAt: head.length };
}

/** `labels` with a flag. */
export function flagged(series: TrafficSeries, flag: ResponseFlag): string {
  return series.labels.slice(0, series.flagAt) + flag + series.labels.slice(series.flagAt);
}

/** Sums over isolates: series with equal labels become one. */
export function mergeTraffic(snapshots: readonly TrafficSnapshot[]): TrafficSnapshot {
  const [only] = snapshots;
  if (only !== undefined && snapshots.length === 1) return only;
  const merged = new Map<string, TrafficSeries>();
  for (const series of snapshots.flat()) {
    const sum = merged.get(series.labels);
    if (sum === undefined) {
      merged.set(series.labels, { ...series, closed: { ...series.closed }, failed: { ...series.failed } });
    } else addTo(sum, series);
  }
  return [...merged.values()];
}

function addTo(sum: TrafficSeries, series: TrafficSeries) {
  sum.opened += series.opened;
  sum.received += series.received;
  sum.sent += series.sent;
  addFlags(sum.closed, series.closed);
  addFlags(sum.failed, series.failed);
}

function addFlags(sum: ByFlag, counts: ByFlag) {
  for (const [flag, count] of Object.entries(counts)) countFlag(sum, flag as ResponseFlag, count);
}

/** Adds to the count of a flag. */
export function countFlag(counts: ByFlag, flag: ResponseFlag, by = 1) {
  counts[flag] = (counts[flag] ?? 0) + by;
}
