/**
 * Identities whose connection broke a limit (ENHANCE_YOUR_CALM) in the last minute. Such a peer reconnects at once, and
 * each new connection begins with full budgets, so theirs are smaller (`STRICT_LIMITS`). Other workloads with the same
 * identity are hardly affected, as only bursts are smaller.
 */
import type { Millis } from "../net/clock.ts";
import type { SpiffeId } from "../identity/spiffe_id.ts";

const REMEMBERED: Millis = 60_000;
/** There are few identities, but a peer that can get certificates could invent many. */
const MOST = 1024;

export class CutPeers {
  /** When each identity is removed, the oldest first. */
  readonly #until = new Map<SpiffeId, Millis>();

  add(identity: SpiffeId, now: Millis): void {
    this.#until.delete(identity);
    this.#until.set(identity, now + REMEMBERED);
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
