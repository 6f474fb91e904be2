/**
 * Peers whose connection broke a limit (ENHANCE_YOUR_CALM) in the last minute. Such a peer may reconnect at once, and
 * each new connection begins with full budgets. So new connections of these peers get smaller ones (`STRICT_LIMITS`),
 * and all of them together one budget for resets without an answer: an attacker that reconnects after each breach gains
 * nothing by it. A peer is an identity at an address, so other workloads with the same identity are not affected.
 */
import { earlyResets } from "../h2/budget.ts";
import { STRICT_LIMITS } from "../h2/limits.ts";
import type { TokenBudget } from "../h2/seam.ts";
import type { SpiffeId } from "../identity/spiffe_id.ts";
import type { Ip } from "../net/address.ts";
import type { Millis } from "../net/clock.ts";

const RETENTION: Millis = 60_000;
/** There are few peers, but one that can get certificates could have many identities. */
const MOST = 1024;

interface CutPeer {
  readonly until: Millis;
  readonly resets: TokenBudget;
}

/** A set of peers that expire. */
export class CutPeers {
  /** The oldest first. */
  readonly #peers = new Map<string, CutPeer>();

  add(identity: SpiffeId, ip: Ip, now: Millis): void {
    const key = `${ip} ${identity}`;
    // A breach does not fill the budget again.
    const resets = this.resetsOf(identity, ip, now) ?? earlyResets(STRICT_LIMITS, now);
    this.#peers.delete(key);
    this.#peers.set(key, { until: now + RETENTION, resets });
    for (const oldest of this.#peers.keys()) {
      if (this.#peers.size <= MOST) return;
      this.#peers.delete(oldest);
    }
  }

  /** The budget that all connections of the peer share; null: it has broken no limit in the last minute. */
  resetsOf(identity: SpiffeId, ip: Ip, now: Millis): TokenBudget | null {
    const key = `${ip} ${identity}`;
    const peer = this.#peers.get(key);
    if (peer === undefined) return null;
    if (now < peer.until) return peer.resets;
    this.#peers.delete(key);
    return null;
  }
}
