/**
 * Counters of traffic, one object per label set: found once per connection, then `series.received += n`
 * (`docs/spec/dataplane.md` 7.3, 7.5).
 *
 * The number of series is bounded; the bound is lower for series whose labels a peer chose itself. Connections beyond
 * the bounds are counted together, in one series whose label says so. A series that has not changed for long is removed
 * once its last values were read.
 */
import type { ResponseFlag } from "./response_flags.ts";
import { TrafficLabels, type TrafficParties, type TrafficSides } from "./traffic_labels.ts";
import type { DerivedPeer, TrafficPeer } from "./traffic_peer.ts";

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

/** Bounds on the number and the lifetime of series. `MetricsSettings` of the configuration implements it. */
export interface SeriesLimits {
  /** All series, at about 1 KB each. */
  readonly all: number;
  /** Series whose labels a peer chose itself by its baggage: of all peers, and of one identity. */
  readonly derived: number;
  readonly derivedPerIdentity: number;
  /** Series that have not changed for this long are removed, ms; 0: never. */
  readonly expiry: number;
}

export const SERIES_LIMITS: SeriesLimits = {
  all: 50_000,
  derived: 10_000,
  derivedPerIdentity: 100,
  expiry: 3_600_000,
};

/** A bound was reached: what it counts, its value, and whose bound it is. */
export interface SeriesOverflow {
  readonly bound: keyof Omit<SeriesLimits, "expiry">;
  readonly most: number;
  readonly identity: string | null;
}

/** Text for the log. */
export function seriesOverflowText({ bound, most, identity }: SeriesOverflow): string {
  const rest = `further ones are counted together, as source_workload="${TOO_MANY}"`;
  switch (bound) {
    case "all":
      return `there are ${most} series of traffic metrics; ${rest}`;
    case "derived":
      return `baggage of peers has made ${most} series of traffic metrics (METRICS_DERIVED_SERIES_MAX); ${rest}`;
    case "derivedPerIdentity":
      return `baggage of ${identity} has made ${most} series of traffic metrics; ${rest}`;
    default:
      return bound satisfies never;
  }
}

/** Value of the workload label in the one series that counts all connections beyond the bounds. */
const TOO_MANY = "too-many-series";

/** A series and what is known of its lifetime. */
interface Entry {
  readonly series: TrafficSeries;
  /** The identity whose baggage made the labels; null: the labels come from the mesh. */
  readonly derivedFrom: string | null;
  /** Sum of all counters when they were last read, -1 before; and the time at which that had changed, ms. */
  sum: number;
  movedAt: number;
  forgotten: boolean;
}

/** By reporter and security, then by service labels. */
type Known = readonly [Map<string, Entry>, Map<string, Entry>, Map<string, Entry>, Map<string, Entry>];

export class TrafficMetrics {
  readonly labels = new TrafficLabels();
  readonly #entries = new Map<string, Entry>();
  /** The way to a series without building its text; forgotten with the peers. */
  readonly #known = new WeakMap<TrafficPeer, WeakMap<TrafficPeer, Known>>();
  /** How many series each identity's baggage has made. Updated together with `#entries`. */
  readonly #derived = new Map<string, number>();
  #derivedCount = 0;
  readonly #told = new Set<SeriesOverflow["bound"]>();

  /** `onOverflow` is called once for each bound that is reached. */
  constructor(
    private readonly onOverflow: (overflow: SeriesOverflow) => void = () => {},
    private readonly limits: SeriesLimits = SERIES_LIMITS,
  ) {}

  /** The counters for connections between these peers. Look them up for each connection; do not keep them. */
  series(parties: TrafficParties, sides: TrafficSides): TrafficSeries {
    const byService = this.#byService(parties, sides);
    const known = byService.get(sides.service);
    if (known !== undefined && !known.forgotten) return known.series;
    const text = labelText(parties, sides);
    const entry = this.#entries.get(text.labels) ?? this.#add(text, parties);
    if (entry === null) return this.#together(parties);
    byService.set(sides.service, entry);
    return entry.series;
  }

  snapshot(): TrafficSnapshot {
    return [...this.#entries.values()].map(({ series }) => series);
  }

  /**
   * Yields every series, and whether this reading removes it: it has not changed for `expiry`, and no open connection
   * could change it. `now`: ms. May be interrupted; series may be added in between.
   */
  *read(now: number): Generator<{ readonly series: TrafficSeries; readonly last: boolean }, void, undefined> {
    for (const entry of this.#entries.values()) {
      const { series } = entry;
      const last = this.#isOver(entry, now);
      if (last) this.#forget(entry);
      yield { series, last };
    }
  }

  #byService(parties: TrafficParties, { source, destination }: TrafficSides): Map<string, Entry> {
    let byDestination = this.#known.get(source);
    if (byDestination === undefined) this.#known.set(source, byDestination = new WeakMap());
    let known = byDestination.get(destination);
    if (known === undefined) byDestination.set(destination, known = [new Map(), new Map(), new Map(), new Map()]);
    return parties.reporter === "source" ? known[parties.mutualTls ? 0 : 1] : known[parties.mutualTls ? 2 : 3];
  }

  /** Null: the bound is reached. */
  #add(text: LabelText, parties: TrafficParties): Entry | null {
    const derivedFrom = derivedFromOf(parties);
    const overflow = this.#overflowOf(derivedFrom);
    if (overflow !== null) {
      this.#tell(overflow);
      return null;
    }
    return this.#insert(text, derivedFrom);
  }

  #insert(text: LabelText, derivedFrom: string | null): Entry {
    const series = { ...text, opened: 0, received: 0, sent: 0, closed: {}, failed: {} };
    const entry: Entry = { series, derivedFrom, sum: -1, movedAt: 0, forgotten: false };
    this.#entries.set(text.labels, entry);
    if (derivedFrom !== null) this.#countDerived(derivedFrom, 1);
    return entry;
  }

  #overflowOf(identity: string | null): SeriesOverflow | null {
    const { all, derived, derivedPerIdentity } = this.limits;
    if (this.#entries.size >= all) return { bound: "all", most: all, identity: null };
    if (identity === null) return null;
    if ((this.#derived.get(identity) ?? 0) >= derivedPerIdentity) {
      return { bound: "derivedPerIdentity", most: derivedPerIdentity, identity };
    }
    return this.#derivedCount >= derived ? { bound: "derived", most: derived, identity: null } : null;
  }

  #tell(overflow: SeriesOverflow): void {
    if (this.#told.has(overflow.bound)) return;
    this.#told.add(overflow.bound);
    this.onOverflow(overflow);
  }

  /** One series for each reporter, for connections beyond the bounds. */
  #together({ reporter }: TrafficParties): TrafficSeries {
    const parties: TrafficParties = {
      reporter,
      source: null,
      derivedSource: { workloadName: TOO_MANY },
      destination: null,
      derivedDestination: null,
      service: null,
      mutualTls: false,
    };
    const text = labelText(parties, this.labels.sides(parties));
    return (this.#entries.get(text.labels) ?? this.#insert(text, null)).series;
  }

  #isOver(entry: Entry, now: number): boolean {
    const { series: { opened, received, sent, closed, failed } } = entry;
    const ended = sumOf(closed);
    const sum = opened + received + sent + ended + sumOf(failed);
    if (sum !== entry.sum) {
      entry.sum = sum;
      entry.movedAt = now;
      return false;
    }
    const { expiry } = this.limits;
    return expiry > 0 && opened === ended && now - entry.movedAt >= expiry;
  }

  #forget(entry: Entry): void {
    entry.forgotten = true;
    this.#entries.delete(entry.series.labels);
    if (entry.derivedFrom !== null) this.#countDerived(entry.derivedFrom, -1);
  }

  #countDerived(identity: string, by: 1 | -1): void {
    const count = (this.#derived.get(identity) ?? 0) + by;
    if (count === 0) this.#derived.delete(identity);
    else this.#derived.set(identity, count);
    this.#derivedCount += by;
  }
}

function sumOf(counts: ByFlag): number {
  let sum = 0;
  for (const flag in counts) sum += counts[flag as ResponseFlag]!;
  return sum;
}

/** The identity whose baggage the labels come from; null: no baggage was used. */
function derivedFromOf({ source, derivedSource, derivedDestination }: TrafficParties): string | null {
  if (derivedDestination !== null) return derivedDestination.identity ?? "";
  return source === null && derivedSource !== null && saysMore(derivedSource) ? derivedSource.identity ?? "" : null;
}

/** Whether the baggage says more than the certificate does. */
function saysMore({ identity: _, ...said }: DerivedPeer): boolean {
  return Object.values(said).some((value) => value !== null && value !== undefined);
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

/** Adds the counters of `series` to `sum`. */
export function addTraffic(sum: TrafficSeries, series: TrafficSeries): void {
  sum.opened += series.opened;
  sum.received += series.received;
  sum.sent += series.sent;
  addFlags(sum.closed, series.closed);
  addFlags(sum.failed, series.failed);
}

export function copyTraffic(series: TrafficSeries): TrafficSeries {
  return { ...series, closed: { ...series.closed }, failed: { ...series.failed } };
}

function addFlags(sum: ByFlag, counts: ByFlag) {
  for (const [flag, count] of Object.entries(counts)) countFlag(sum, flag as ResponseFlag, count);
}

/** Adds to the count of a flag. */
export function countFlag(counts: ByFlag, flag: ResponseFlag, by = 1) {
  counts[flag] = (counts[flag] ?? 0) + by;
}
