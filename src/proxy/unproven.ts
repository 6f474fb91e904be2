/**
 * Peers that have connected and whose handshake is not complete. Each may take some 50 KB of TLS state. The time limit
 * of handshakes does not bound their number: an attacker with a thousand connections in a second would have ten
 * thousand of them open.
 *
 * When many honest peers connect at once, they wait for us, and must not be closed for that. So a new peer evicts
 * another one only beyond {@link MOST}, and only one that has not answered for {@link GRACE}, which is longer than honest
 * peers take. Peers that wait for us are cheap before their first turn, in which their TLS state is created; beyond
 * {@link MOST_WAITING} the oldest is evicted nevertheless. As the addresses of the peers take turns
 * (`net/handshake_queue.ts`), that is a peer of the address that has most.
 */
import type { Millis } from "../net/clock.ts";

/** So many peers of one listener in one worker may be there without evictions. */
export const MOST = 1024;
/** How long a peer may leave us waiting before it can be evicted, ms. */
export const GRACE: Millis = 1000;
/** How many peers may be there that wait for us. */
export const MOST_WAITING = 4096;
/** Peers that are examined for each new peer. */
const CHECKS = 8;

/** A peer whose handshake is not complete. */
export interface UnprovenPeer {
  /** Since when we have been waiting for this peer; null: it waits for us. */
  readonly peerSince: Millis | null;
  /** Closes the peer's connection, as there are too many. */
  evict(): void;
}

/** The peers of one listener whose handshake is not complete. */
export class Unproven {
  /** In the order in which they connected or were last examined. */
  readonly #peers = new Set<UnprovenPeer>();

  get size(): number {
    return this.#peers.size;
  }

  /** Adds a peer; may evict others. */
  add(peer: UnprovenPeer, now: Millis): void {
    this.#peers.add(peer);
    let checks = CHECKS;
    for (const oldest of this.#peers) {
      if (this.#peers.size <= MOST || checks-- === 0) return;
      this.#peers.delete(oldest);
      const since = oldest.peerSince;
      if (since !== null && now - since >= GRACE) oldest.evict();
      else if (since === null && this.#peers.size >= MOST_WAITING) oldest.evict();
      else this.#peers.add(oldest);
    }
  }

  /** Removes a peer that has completed its handshake, or has ended. */
  delete(peer: UnprovenPeer): void {
    this.#peers.delete(peer);
  }
}
