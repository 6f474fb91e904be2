/**
 * Peers that have connected and not proven who they are yet. Each may take some 50 KB of TLS state, and its time limits
 * alone bound nothing: whoever opens a thousand connections in a second would hold ten thousand of them.
 *
 * A crowd of honest peers waits for us, not the other way round, and must not be turned away for it. So only beyond
 * {@link MOST} does a new peer displace another one, and only one that has not answered for {@link GRACE}, longer than
 * honest peers take. Peers that wait for us are cheap before their first turn, which is when their TLS state is
 * created; beyond {@link MOST_WAITING} the oldest is closed all the same. As the addresses of the peers take turns
 * (`net/handshake_queue.ts`), that is one of the largest group.
 */
import type { Millis } from "../net/clock.ts";

/** Of one pod in one worker. */
export const MOST = 1024;
export const GRACE: Millis = 1000;
export const MOST_WAITING = 4096;
/** Peers that are examined for each new peer. */
const LOOKS = 8;

export interface UnprovenPeer {
  /** Since when we have been waiting for this peer; null: it waits for us. */
  readonly peerSince: Millis | null;
  /** It has to make room for others. */
  evict(): void;
}

export class Unproven {
  /** In the order in which they connected or were last examined. */
  readonly #peers = new Set<UnprovenPeer>();

  get size(): number {
    return this.#peers.size;
  }

  add(peer: UnprovenPeer, now: Millis): void {
    this.#peers.add(peer);
    let looks = LOOKS;
    for (const oldest of this.#peers) {
      if (this.#peers.size <= MOST || looks-- === 0) return;
      this.#peers.delete(oldest);
      const since = oldest.peerSince;
      if (since !== null && now - since >= GRACE) oldest.evict();
      else if (since === null && this.#peers.size >= MOST_WAITING) oldest.evict();
      else this.#peers.add(oldest);
    }
  }

  /** Proven, or gone. */
  delete(peer: UnprovenPeer): void {
    this.#peers.delete(peer);
  }
}
