/**
 * Counters of traffic, one object per label set, which is looked up once per connection (`docs/spec/dataplane.md` 7.3,
 * 7.5).
 *
 * The number of series is bounded; the bound is lower for series whose labels a peer chose itself. Connections beyond
 * the bounds are counted together, in one series whose label says so. A series that has not changed for long is removed
 * once its last values were read.
 */
import type { ResponseFlag } from "./response_flags.ts";
import { TrafficLabels, type TrafficParties, type TrafficSides } from "./traffic_labels.ts";
import type { DerivedPeer, TrafficPeer } from "./traffic_peer.ts";

/** Counts by flag, without those that are 0. */
export type ByFlag = Partial<Record<ResponseFlag, number>>;

/** The counters of one label set. Plain data: can be sent to another isolate. */
export interface TrafficSeries {
  /** All labels; the value of `response_flags` is empty. */
  readonly labels: string;
  /** Offset in `labels` at which the flag is inserted. */
  readonly flagAt: number;
  opened: number;
  /** Bytes from the client towards the server. */
  received: number;
  /** Bytes from the server towards the client. */
  sent: number;
  readonly closed: ByFlag;
  readonly failed: ByFlag;
}

/** The series of one isolate. */
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

const SERIES_LIMITS: SeriesLimits = {
  all: 50_000,
  derived: 10_000,
  derivedPerIdentity: 100,
  expiry: 3_600_000,
};

/** Connections and bytes of all series of one reporter. */
interface TrafficTotals {
  opened: number;
  closed: number;
  /** Refused by a policy; not counted as failed. */
  denied: number;
  failed: number;
  received: number;
  sent: number;
}

/** A bound that was reached, with its value. `identity`: the peer, for a bound per peer. */
export interface SeriesOverflow {
  readonly bound: keyof Omit<SeriesLimits, "expiry">;
  readonly limit: number;
  readonly identity: string | null;
}

/** The log message for a bound that was reached. */
export function seriesOverflowText({ bound, limit, identity }: SeriesOverflow): string {
  const rest = `further ones are counted together, as source_workload="${TOO_MANY}"`;
  switch (bound) {
    case "all":
      return `there are ${limit} series of traffic metrics; ${rest}`;
    case "derived":
      return `baggage of peers has made ${limit} series of traffic metrics (METRICS_DERIVED_SERIES_MAX); ${rest}`;
    case "derivedPerIdentity":
      return `baggage of ${identity} has made ${limit} series of traffic metrics; ${rest}`;
    default:
      return bound satisfies never;
  }
}

/** Value of the workload label in the one series that counts all connections beyond the bounds. */
const TOO_MANY = "too-many-series";

/** A series and its lifetime. */
interface SeriesEntry {
  readonly series: TrafficSeries;
  /** The identity whose baggage made the labels; null: the labels come from the mesh. */
  readonly derivedFrom: string | null;
  /** Sum of all counters at the last reading, -1 before the first; `changedAt`: when it had last changed, ms. */
  sum: number;
  changedAt: number;
  removed: boolean;
}

/** Series by service labels, for each combination of reporter and security. */
type ServiceMaps = readonly [
  Map<string, SeriesEntry>,
  Map<string, SeriesEntry>,
  Map<string, SeriesEntry>,
  Map<string, SeriesEntry>,
];

/** The traffic series of one isolate. */
export class TrafficMetrics {
  readonly #onOverflow: (overflow: SeriesOverflow) => void;
  readonly #limits: SeriesLimits;

  readonly labels = new TrafficLabels();
  readonly #entries = new Map<string, SeriesEntry>();
  /** Finds a series without building its text. Collected together with the peers. */
  readonly #byPeers = new WeakMap<TrafficPeer, WeakMap<TrafficPeer, ServiceMaps>>();
  /** Number of series by the identity whose baggage made them. Updated together with `#entries`. */
  readonly #derived = new Map<string, number>();
  #derivedCount = 0;
  /** What the series that were removed have counted. */
  readonly #removedInbound = noTraffic();
  readonly #removedOutbound = noTraffic();
  readonly #reported = new Set<SeriesOverflow["bound"]>();

  /** `onOverflow` is called once for each bound that is reached. */
  constructor(
    onOverflow: (overflow: SeriesOverflow) => void = () => {},
    limits: SeriesLimits = SERIES_LIMITS,
  ) {
    this.#onOverflow = onOverflow;
    this.#limits = limits;
  }

  /** The counters for connections between these peers. To be looked up for each connection, as they may be removed. */
  series(parties: TrafficParties, sides: TrafficSides): TrafficSeries {
    const byService = this.#byService(parties, sides);
    const known = byService.get(sides.service);
    if (known !== undefined && !known.removed) return known.series;
    const text = labelText(parties, sides);
    const entry = this.#entries.get(text.labels) ?? this.#add(text, parties);
    if (entry === null) return this.#overflowSeries(parties);
    byService.set(sides.service, entry);
    return entry.series;
  }

  /** All series. */
  snapshot(): TrafficSnapshot {
    return [...this.#entries.values()].map(({ series }) => series);
  }

  /** The sums since the start, by direction. They never decrease. */
  totals(): { readonly inbound: TrafficTotals; readonly outbound: TrafficTotals } {
    const inbound = { ...this.#removedInbound }, outbound = { ...this.#removedOutbound };
    for (const { series } of this.#entries.values()) addTotals(isOutbound(series) ? outbound : inbound, series);
    return { inbound, outbound };
  }

  /**
   * Yields every series, and whether this reading removes it: it has not changed for `expiry`, and no open connection
   * could change it. `now`: ms. May be interrupted; series may be added in between.
   */
  *read(now: number): Generator<{ readonly series: TrafficSeries; readonly last: boolean }, void, undefined> {
    for (const entry of this.#entries.values()) {
      const { series } = entry;
      const last = this.#isOver(entry, now);
      if (last) this.#remove(entry);
      yield { series, last };
    }
  }

  #byService(parties: TrafficParties, { source, destination }: TrafficSides): Map<string, SeriesEntry> {
    let byDestination = this.#byPeers.get(source);
    if (byDestination === undefined) this.#byPeers.set(source, byDestination = new WeakMap());
    let known = byDestination.get(destination);
    if (known === undefined) byDestination.set(destination, known = [new Map(), new Map(), new Map(), new Map()]);
    return parties.reporter === "source" ? known[parties.mutualTls ? 0 : 1] : known[parties.mutualTls ? 2 : 3];
  }

  /** Null: the bound is reached. */
  #add(text: LabelText, parties: TrafficParties): SeriesEntry | null {
    const derivedFrom = derivedFromOf(parties);
    const overflow = this.#overflowOf(derivedFrom);
    if (overflow !== null) {
      this.#report(overflow);
      return null;
    }
    return this.#insert(text, derivedFrom);
  }

  #insert(text: LabelText, derivedFrom: string | null): SeriesEntry {
    const series = { ...text, opened: 0, received: 0, sent: 0, closed: {}, failed: {} };
    const entry: SeriesEntry = { series, derivedFrom, sum: -1, changedAt: 0, removed: false };
    this.#entries.set(text.labels, entry);
    if (derivedFrom !== null) this.#countDerived(derivedFrom, 1);
    return entry;
  }

  #overflowOf(identity: string | null): SeriesOverflow | null {
    const { all, derived, derivedPerIdentity } = this.#limits;
    if (this.#entries.size >= all) return { bound: "all", limit: all, identity: null };
    if (identity === null) return null;
    if ((this.#derived.get(identity) ?? 0) >= derivedPerIdentity) {
      return { bound: "derivedPerIdentity", limit: derivedPerIdentity, identity };
    }
    return this.#derivedCount >= derived ? { bound: "derived", limit: derived, identity: null } : null;
  }

  #report(overflow: SeriesOverflow): void {
    if (this.#reported.has(overflow.bound)) return;
    this.#reported.add(overflow.bound);
    this.#onOverflow(overflow);
  }

  /** One series for each reporter, for connections beyond the bounds. */
  #overflowSeries({ reporter }: TrafficParties): TrafficSeries {
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

  #isOver(entry: SeriesEntry, now: number): boolean {
    const { series: { opened, received, sent, closed, failed } } = entry;
    const ended = sumOf(closed);
    const sum = opened + received + sent + ended + sumOf(failed);
    if (sum !== entry.sum) {
      entry.sum = sum;
      entry.changedAt = now;
      return false;
    }
    const { expiry } = this.#limits;
    return expiry > 0 && opened === ended && now - entry.changedAt >= expiry;
  }

  #remove(entry: SeriesEntry): void {
    entry.removed = true;
    addTotals(isOutbound(entry.series) ? this.#removedOutbound : this.#removedInbound, entry.series);
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

function noTraffic(): TrafficTotals {
  return { opened: 0, closed: 0, denied: 0, failed: 0, received: 0, sent: 0 };
}

/** The label `reporter` is the first one. */
function isOutbound({ labels }: TrafficSeries): boolean {
  return labels.startsWith('reporter="source"');
}

function addTotals(totals: TrafficTotals, { opened, received, sent, closed, failed }: TrafficSeries): void {
  const denied = failed.DENY ?? 0;
  totals.opened += opened;
  totals.closed += sumOf(closed);
  totals.denied += denied;
  totals.failed += sumOf(failed) - denied;
  totals.received += received;
  totals.sent += sent;
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
  // These labels are left out where neither side is known.
  const unknown = parties.source === null && parties.derivedSource === null && parties.destination === null &&
    parties.derivedDestination === null;
  const localities = unknown ? "" : `,${source.locality},${destination.locality}`;
  return { labels: head + tail + localities, flagAt: head.length };
}

/** The labels of `series` with a flag. */
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

/** A copy of the counters. */
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
