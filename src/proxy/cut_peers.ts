/**
 * Identities whose connection broke a limit (ENHANCE_YOUR_CALM) in the last minute. Such a peer may reconnect at once,
 * and each new connection begins with full budgets; so new connections of these identities get smaller ones
 * (`STRICT_LIMITS`). Other workloads with the same identity are hardly affected, as only bursts are smaller.
 */
import type { Millis } from "../net/clock.ts";
import type { SpiffeId } from "../identity/spiffe_id.ts";

const RETENTION: Millis = 60_000;
/** There are few identities, but a peer that can get certificates could have many. */
const MOST = 1024;

/** A set of identities that expire. */
export class CutPeers {
  /** The time at which each identity expires, the oldest first. */
  readonly #until = new Map<SpiffeId, Millis>();

  add(identity: SpiffeId, now: Millis): void {
    this.#until.delete(identity);
    this.#until.set(identity, now + RETENTION);
    for (const oldest of this.#until.keys()) {
      if (this.#until.size <= MOST) return;
      this.#until.delete(oldest);
    }
  }

  has(identity: SpiffeId, now: Millis): boolean {
    const until = this.#until.get(identity);
    if (until === undefined) return false;
    if (now < until) return true;
    this.#until.delete(identity);
    return false;
  }
}
