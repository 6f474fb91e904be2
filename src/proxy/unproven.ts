/**
 * Peers that have connected and not proven who they are yet. Each may take some 50 KB of TLS state, and its time limits
 * alone bound nothing: whoever opens a thousand connections in a second would hold ten thousand of them.
 *
 * A crowd of honest peers waits for us, not the other way round, and must not be turned away for it. So only beyond
 * {@link MOST}, and only who has had {@link GRACE}, longer than honest handshakes take, makes room for a newcomer.
 */
import type { Millis } from "../net/network.ts";

/** Of one pod in one worker. */
export const MOST = 1024;
export const GRACE: Millis = 1000;

export interface UnprovenPeer {
  /** It has to make room for others. */
  crowdedOut(): void;
}

export class Unproven {
  /** When each of them came, in that order. */
  readonly #since = new Map<UnprovenPeer, Millis>();

  get size(): number {
    return this.#since.size;
  }

  add(peer: UnprovenPeer, now: Millis): void {
    this.#since.set(peer, now);
    for (const [oldest, since] of this.#since) {
      if (this.#since.size <= MOST || now - since < GRACE) return;
      this.#since.delete(oldest);
      oldest.crowdedOut();
    }
  }

  /** Proven, or gone. */
  delete(peer: UnprovenPeer): void {
    this.#since.delete(peer);
  }
}
