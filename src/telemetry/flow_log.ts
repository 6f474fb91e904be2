/**
 * What happened to the connections of one isolate: a ring of the last endings, and those who follow flows as they open
 * and end. Where nobody follows, an ending costs a few stores, and an opening nothing.
 */
import type { Phase } from "./connection_ending.ts";
import type { FlowParts } from "./flow.ts";
import { type FlowFilter, matchesFilter } from "./flow_filter.ts";
import { FlowRing, type PastEvent } from "./flow_ring.ts";

/** The state of a connection when its opening is reported. */
const OPENING: Phase = "connecting";

interface Follower {
  readonly filter: FlowFilter;
  onEvent(event: PastEvent): void;
}

/** The flow log of one isolate. */
export class FlowLog {
  readonly #ring: FlowRing;
  readonly #wallClock: () => number;
  readonly #followers = new Set<Follower>();
  #refused = 0;

  /** `capacity`: how many endings are kept. `wallClock`: ms since the epoch. */
  constructor(capacity: number, wallClock: () => number) {
    this.#ring = new FlowRing(capacity);
    this.#wallClock = wallClock;
  }

  /** Connections that ended before they were routed, since the start. No metric counts them. */
  get refused(): number {
    return this.#refused;
  }

  /** Whether openings have to be reported. */
  get isFollowed(): boolean {
    for (const { filter: { state } } of this.#followers) if (state === undefined || state === OPENING) return true;
    return false;
  }

  opened(parts: FlowParts): void {
    this.#notify({ kind: "opened", time: this.#wallClock(), parts });
  }

  /** A connection has ended, or was refused before it was routed. */
  ended(kind: "refused" | "ended", parts: FlowParts): void {
    const event = { kind, time: this.#wallClock(), parts };
    if (kind === "refused") this.#refused++;
    this.#ring.push(event);
    if (this.#followers.size > 0) this.#notify(event);
  }

  /** The last endings that meet `filter`, `most` of them, newest first; null for each other one. */
  *last(filter: FlowFilter, most: number): Generator<PastEvent | null, void, undefined> {
    let left = most;
    if (left === 0) return;
    for (const event of this.#ring.newestFirst()) {
      const isMet = matchesFilter(filter, event.parts);
      yield isMet ? event : null;
      if (isMet && --left === 0) return;
    }
  }

  /** The last endings, newest first. */
  *past(): Generator<FlowParts, void, undefined> {
    for (const { parts } of this.#ring.newestFirst()) yield parts;
  }

  /** Reports events that meet `filter` from now on. The returned function ends that; idempotent. */
  follow(filter: FlowFilter, onEvent: (event: PastEvent) => void): () => void {
    const follower = { filter, onEvent };
    this.#followers.add(follower);
    return () => void this.#followers.delete(follower);
  }

  #notify(event: PastEvent): void {
    for (const { filter, onEvent } of this.#followers) if (matchesFilter(filter, event.parts)) onEvent(event);
  }
}
