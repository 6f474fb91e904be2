/**
 * What happened to the connections of one isolate: a ring of the last endings, and those who follow flows as they open
 * and end. Where nobody follows, an ending costs a few stores, and an opening nothing.
 */
import type { Phase } from "./connection_ending.ts";
import { type Flow, type FlowEventKind, flowOf, type FlowParts } from "./flow.ts";
import { FlowRing, type PastEvent } from "./flow_ring.ts";
import { type FlowFilter, matchesFilter } from "./flow_filter.ts";

/** A flow at one moment. */
export interface FlowEvent extends Flow {
  readonly event: FlowEventKind;
  /** ISO 8601, UTC. */
  readonly time: string;
  /** Of events that are followed: the proxy's span in the connection's trace. */
  readonly span?: FlowSpan;
}

/** A span of a trace. */
interface FlowSpan {
  /** 16 hexadecimal digits. Null: it has none yet; the one who exports it chooses it. */
  readonly id: string | null;
  /** The span of the caller's proxy; null: the trace begins here. */
  readonly parent: string | null;
  /** Whether the `traceparent` between the proxies is flagged as sampled. */
  readonly sampled: boolean;
}

/** The state of a connection when its opening is reported. */
const OPENING: Phase = "connecting";

interface Follower {
  readonly filter: FlowFilter;
  /** `line`: a {@link FlowEvent} as JSON. */
  onEvent(line: string): void;
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

  /** The last endings that meet `filter`, `most` of them, newest first, each as JSON. */
  *last(filter: FlowFilter, most: number): Generator<string | null, void, undefined> {
    let left = most;
    if (left === 0) return;
    for (const event of this.#ring.newestFirst()) {
      const line = lineOf(event, filter);
      yield line;
      if (line !== null && --left === 0) return;
    }
  }

  /** The last endings, newest first. */
  *past(): Generator<FlowParts, void, undefined> {
    for (const { parts } of this.#ring.newestFirst()) yield parts;
  }

  /** Reports events that meet `filter` from now on. The returned function ends that; idempotent. */
  follow(filter: FlowFilter, onEvent: (line: string) => void): () => void {
    const follower = { filter, onEvent };
    this.#followers.add(follower);
    return () => void this.#followers.delete(follower);
  }

  #notify(event: PastEvent): void {
    for (const { filter, onEvent } of this.#followers) {
      const line = lineOf(event, filter);
      if (line !== null) onEvent(line);
    }
  }
}

/** Null: it does not meet the filter. */
function lineOf({ kind, time, parts }: PastEvent, filter: FlowFilter): string | null {
  const flow = flowOf(parts);
  if (!matchesFilter(filter, flow)) return null;
  const event: FlowEvent = { event: kind, time: new Date(time).toISOString(), ...flow };
  const { traceparent, continuesTrace } = parts;
  return JSON.stringify(traceparent === null ? event : { ...event, span: spanOf(traceparent, continuesTrace) });
}

/** The parts of a `traceparent` (W3C Trace Context §3.2.2). */
function spanOf(traceparent: string, continuesTrace: boolean): FlowSpan {
  const id = traceparent.slice(36, 52);
  const sampled = (Number.parseInt(traceparent.slice(53, 55), 16) & 1) === 1;
  return continuesTrace ? { id: null, parent: id, sampled } : { id, parent: null, sampled };
}
