/**
 * The pending lookups of names, with `XDS_ON_DEMAND` (`docs/spec/xds-state.md` 2.9, `docs/spec/observed.md` O3).
 *
 * On one stream istiod responds once per name: with resources that have it as name or alias, or with a removal. It does
 * not respond to a name that it regards as subscribed, and does not notify when an unknown name appears or when a known
 * service gets another workload. Therefore each name is requested once per stream, the result is kept until the stream
 * ends, and repeating a request takes a new stream. As a pod that scans the network causes lookups of many names, all
 * collections are bounded.
 */
import type { KnownResources } from "./known_resources.ts";

/** The result of a lookup. */
export type LookupResult =
  /** The resources with this name have been applied, so the caller resolves the name again. */
  | "known"
  /** The control plane has no resource with this name. */
  | "absent"
  /** The control plane did not respond in time, so it is not known whether the resource exists. */
  | "expired"
  /** Too many lookups are pending, the name is too long, or the client was closed. */
  | "refused";

/** What the caller of {@link PendingLookups.lookUp} has to do: nothing, send a request, or reopen the stream. */
export type LookupStep = "nothing" | "request" | "reopen";

/** Limits of lookups. */
export interface LookupLimits {
  /** ms after which a lookup ends with `expired`. */
  readonly timeout: number;
  /** How many lookups may be pending. */
  readonly pending: number;
  /** How many names are requested on one stream. */
  readonly namesPerStream: number;
  /** ms after which an `absent` name is requested again, and the least age of a stream that is reopened for it. */
  readonly reopenAfter: number;
  /**
   * ms; the least age of a stream that is reopened because of {@link namesPerStream}, or for more about a known resource.
   * In the latter case it is doubled each time, up to {@link reopenAfter}.
   */
  readonly refreshAfter: number;
}

/** The limits of the product. */
export const LOOKUP_LIMITS: LookupLimits = {
  timeout: 10_000,
  pending: 10_000,
  namesPerStream: 50_000,
  reopenAfter: 300_000,
  refreshAfter: 15_000,
};

/** Longer names do not exist: a name consists of a cluster, a kind, a namespace and a host name at most. */
const NAME_MAX = 1024;

interface PendingLookup {
  readonly name: string;
  readonly deadline: number;
  readonly onResult: (result: LookupResult) => void;
}

/** The pending lookups, and what the current stream has said about each requested name. */
export class PendingLookups {
  readonly #known: KnownResources;
  readonly #limits: LookupLimits;
  /** In the order of their deadlines, as all have the same timeout. */
  readonly #pending = new Set<PendingLookup>();
  readonly #byName = new Map<string, PendingLookup[]>();
  /** The state of each name requested on this stream; a number: the time at which it was reported as absent. */
  readonly #requested = new Map<string, "pending" | "found" | number>();
  /** When the current stream was opened, in ms of the clock; null: there is none. */
  #openedAt: number | null = null;
  #refreshAfter: number;

  constructor(known: KnownResources, limits: LookupLimits = LOOKUP_LIMITS) {
    this.#known = known;
    this.#limits = limits;
    this.#refreshAfter = limits.refreshAfter;
  }

  /** The number of pending lookups. */
  get pending(): number {
    return this.#pending.size;
  }

  /** The number of names requested on this stream. */
  get requested(): number {
    return this.#requested.size;
  }

  /**
   * Starts a lookup. `onResult` is called once: before this method returns, or during a later call of another method. The
   * caller looks up a known resource only if it cannot use it as it is, for example a service without endpoints.
   */
  lookUp(name: string, now: number, onResult: (result: LookupResult) => void): LookupStep {
    if (this.#known.has(name)) return this.#refreshKnown(name, now, onResult);
    if (name.length > NAME_MAX || this.#pending.size >= this.#limits.pending) return finish(onResult, "refused");
    if (this.#openedAt === null) return this.#add(name, now, onResult, "nothing");
    const state = this.#requested.get(name);
    switch (state) {
      case undefined:
        // Probably a scan. Lookups of other pods must not be refused for as long as `reopenAfter`.
        if (this.#requested.size >= this.#limits.namesPerStream) {
          return this.#reopenFor(name, now, onResult, "refused", this.#limits.refreshAfter);
        }
        this.#requested.set(name, "pending");
        return this.#add(name, now, onResult, "request");
      case "pending":
        return this.#add(name, now, onResult, "nothing");
      case "found":
        // The resource was rejected, or no longer has this alias. The control plane will not send it again.
        return finish(onResult, "known");
      default:
        if (now - state < this.#limits.reopenAfter) return finish(onResult, "absent");
        return this.#reopenFor(name, now, onResult, "absent", this.#limits.reopenAfter);
    }
  }

  /** Limits how often streams are reopened for a service without endpoints that clients call again and again. */
  #refreshKnown(name: string, now: number, onResult: (result: LookupResult) => void): LookupStep {
    const isSoon = this.#openedAt === null || now - this.#openedAt < this.#refreshAfter;
    if (isSoon || this.#pending.size >= this.#limits.pending) return finish(onResult, "known");
    this.#refreshAfter = Math.min(2 * this.#refreshAfter, this.#limits.reopenAfter);
    return this.#add(name, now, onResult, "reopen");
  }

  /** Reopens the stream for a name if it is at least `age` ms old; else the result is `otherwise`. */
  #reopenFor(
    name: string,
    now: number,
    onResult: (result: LookupResult) => void,
    otherwise: LookupResult,
    age: number,
  ): LookupStep {
    const isYoung = now - this.#openedAt! < age;
    return isYoung ? finish(onResult, otherwise) : this.#add(name, now, onResult, "reopen");
  }

  /** A stream was opened. Returns the names of pending lookups, which are part of its first request. */
  opened(now: number): Iterable<string> {
    this.#requested.clear();
    this.#openedAt = now;
    const names = [...this.#byName.keys()];
    for (const name of names) this.#requested.set(name, "pending");
    return names;
  }

  /** The stream has ended. Its results are dropped; pending lookups continue. */
  closed(): void {
    this.#openedAt = null;
    this.#requested.clear();
  }

  /** A resource with this name or alias was applied. */
  found(name: string): void {
    if (this.#requested.has(name)) this.#requested.set(name, "found");
    this.#finishAll(name, "known");
  }

  /** The control plane reported that no resource has this name (any more). */
  removed(name: string, now: number): void {
    // Names that were not requested are reported as removed, too; they are not stored.
    if (this.#requested.has(name)) this.#requested.set(name, now);
    this.#finishAll(name, "absent");
  }

  /** A known resource was removed: its replacement is requested soon, see `refreshAfter`. */
  resourceRemoved(): void {
    this.#refreshAfter = this.#limits.refreshAfter;
  }

  /** Ends the lookups whose deadline has passed with `expired`. */
  expire(now: number): void {
    for (const lookup of this.#pending) {
      if (lookup.deadline > now) return;
      this.#pending.delete(lookup);
      const others = this.#byName.get(lookup.name)!.filter((other) => other !== lookup);
      if (others.length === 0) this.#byName.delete(lookup.name);
      else this.#byName.set(lookup.name, others);
      lookup.onResult("expired");
    }
  }

  /** Returns the time of the next call of {@link expire}; null: no lookup is pending. */
  nextExpiry(): number | null {
    for (const { deadline } of this.#pending) return deadline;
    return null;
  }

  /** Ends all lookups with `refused`. */
  close(): void {
    this.closed();
    for (const name of [...this.#byName.keys()]) this.#finishAll(name, "refused");
  }

  #add(name: string, now: number, onResult: (result: LookupResult) => void, step: LookupStep): LookupStep {
    const lookup: PendingLookup = { name, deadline: now + this.#limits.timeout, onResult };
    this.#pending.add(lookup);
    const others = this.#byName.get(name);
    if (others === undefined) this.#byName.set(name, [lookup]);
    else others.push(lookup);
    return step;
  }

  #finishAll(name: string, result: LookupResult): void {
    const lookups = this.#byName.get(name);
    if (lookups === undefined) return;
    this.#byName.delete(name);
    for (const lookup of lookups) {
      this.#pending.delete(lookup);
      lookup.onResult(result);
    }
  }
}

function finish(onResult: (result: LookupResult) => void, result: LookupResult): "nothing" {
  onResult(result);
  return "nothing";
}
