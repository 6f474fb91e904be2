/**
 * How long a pool waits before it connects again to a peer to which the last attempt has failed. Without it, each new
 * request of an application would cause an attempt of its own.
 */
import type { Clock, Millis } from "../net/clock.ts";
import type { TunnelFailure } from "./failure.ts";

/** The longest wait after the first failure; it doubles with each further one. */
const FIRST_WAIT: Millis = 100;
/** No wait is longer, so that a peer that works again is reached within this time. */
const MAX_WAIT: Millis = 1000;
/**
 * A peer whose last wait ended so long ago counts as one that has not failed. Longer than one attempt, so that the
 * waits keep growing while no attempt succeeds.
 */
const RETENTION: Millis = 30_000;
/** Peers of one pool that are remembered. */
const MAX_PEERS = 256;

/** A peer that failed. */
interface FailedPeer {
  /** The longest wait after its next failure. */
  nextWait: Millis;
  /** No attempt before this time. */
  until: Millis;
  readonly failure: TunnelFailure;
}

/** The peers of one pool to which the last attempt has failed, by the key of the pool. */
export class DialBackoff {
  readonly #clock: Pick<Clock, "now">;
  readonly #random: () => number;
  /** In the order of their last failures. */
  readonly #peers = new Map<string, FailedPeer>();

  /** `random`: in [0, 1). */
  constructor(clock: Pick<Clock, "now">, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Number of peers that are remembered. */
  get size(): number {
    return this.#peers.size;
  }

  /** Whether the last attempt to connect to the peer has failed. */
  isFailing(key: string): boolean {
    return this.#peers.size > 0 && this.#peers.has(key);
  }

  /** Why the last attempt to connect to the peer failed; null: it did not. */
  lastFailure(key: string): TunnelFailure | null {
    return this.#peers.size === 0 ? null : this.#peers.get(key)?.failure ?? null;
  }

  /** ms until the next attempt; 0: it may be made now. */
  wait(key: string): Millis {
    if (this.#peers.size === 0) return 0;
    const peer = this.#peers.get(key);
    return peer === undefined ? 0 : Math.max(0, peer.until - this.#clock.now());
  }

  /** An attempt has failed. The wait is a random time between half of the longest one and the longest one. */
  failed(key: string, failure: TunnelFailure): void {
    const now = this.#clock.now();
    this.#removeOld(now);
    const longest = this.#peers.get(key)?.nextWait ?? FIRST_WAIT;
    this.#peers.delete(key);
    if (this.#peers.size >= MAX_PEERS) this.#removeOldest();
    this.#peers.set(key, {
      nextWait: Math.min(MAX_WAIT, longest * 2),
      until: now + longest * (0.5 + this.#random() / 2),
      failure,
    });
  }

  /** An attempt has succeeded. */
  succeeded(key: string): void {
    if (this.#peers.size > 0) this.#peers.delete(key);
  }

  #removeOld(now: Millis): void {
    for (const [key, { until }] of this.#peers) {
      if (now < until + RETENTION) return;
      this.#peers.delete(key);
    }
  }

  #removeOldest(): void {
    for (const key of this.#peers.keys()) {
      this.#peers.delete(key);
      return;
    }
  }
}
