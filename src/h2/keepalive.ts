/**
 * Our PINGs (`docs/spec/dataplane.md` 2.3). One is sent after an interval in which nothing was received, or when the owner
 * of the connection wants to know at once whether the peer is alive. Any received
 * bytes prove that the peer is alive, so a connection in use sends no PING. If nothing is received within the timeout
 * after a PING, the connection is closed.
 *
 *                        ┌──────── something was received: due later ────────┐
 *                        ▼                                                   │
 *     constructed ──▶ WAITING ──interval in which nothing was received──▶ PING sent ┤
 *                                                                            └─timeout without one─▶ expired
 *
 * Receiving bytes only records the time. The deadline is computed when it is read, so a busy connection moves no timer:
 * its timer fires, finds that the deadline is later, and is set again.
 */
import type { Millis } from "../net/clock.ts";

/** First half of the payload of our PINGs: shows which kind an ACK belongs to. Keepalive, and the PING of a drain. */
export const KEEPALIVE_PING = 0x6b656570;
export const DRAIN_PING = 0x64726169;
/** An interval is made longer or shorter by up to this fraction of it. */
const SPREAD = 0.15;

/** The PINGs of one connection. It sends nothing itself: `connection.ts` does, when {@link due}. */
export class Keepalive {
  readonly #interval: Millis;
  #lastReceived: Millis;
  /** When the outstanding PING was sent; Infinity: none is outstanding. */
  #sentAt: Millis = Infinity;
  #sequence = 0;
  /** The last PING has not been acknowledged yet. */
  #ackPending = false;

  constructor(interval: Millis, readonly timeout: Millis, now: Millis) {
    this.#interval = interval;
    this.#lastReceived = now;
  }

  /** When the next PING or the timeout is due. */
  get deadline(): Millis {
    return this.outstanding ? this.#answerBy : this.#lastReceived + this.#interval;
  }

  /** A PING was sent, and nothing has been received since. */
  get outstanding(): boolean {
    return this.#sentAt !== Infinity;
  }

  /** How long nothing has been received. */
  silentFor(now: Millis): Millis {
    return now - this.#lastReceived;
  }

  /** How long ago the outstanding PING was sent; 0: none is outstanding. */
  unansweredFor(now: Millis): Millis {
    return this.outstanding ? now - this.#sentAt : 0;
  }

  /** Bytes of any kind were received. */
  received(now: Millis): void {
    this.#lastReceived = now;
    this.#sentAt = Infinity;
  }

  /** A PING is sent now; returns the second half of its payload. */
  sent(now: Millis): number {
    this.#sentAt = now;
    this.#ackPending = true;
    this.#sequence = (this.#sequence + 1) >>> 0;
    return this.#sequence;
  }

  /** An ACK with the second half `sequence` arrived. False: it belongs to no PING of ours. */
  acknowledged(sequence: number): boolean {
    if (!this.#ackPending || sequence !== this.#sequence) return false;
    this.#ackPending = false;
    return true;
  }

  /** Nothing was received in time after a PING: the connection must be closed. */
  expired(now: Millis): boolean {
    return now >= this.#answerBy;
  }

  /**
   * When bytes must have been received. A PING that was sent early, for a new request, does not shorten the time for which
   * the peer may be silent: the streams that are open would end in an outage that they survive otherwise.
   */
  get #answerBy(): Millis {
    return Math.max(this.#sentAt, this.#lastReceived + this.#interval) + this.timeout;
  }

  /** A PING must be sent. */
  due(now: Millis): boolean {
    return !this.outstanding && now >= this.#lastReceived + this.#interval;
  }
}

/**
 * `interval`, made up to 15 % longer or shorter, so that connections that were opened at the same time do not send all
 * their PINGs together. `random` returns a number in [0, 1).
 */
export function spreadInterval(interval: Millis, random: () => number): Millis {
  return interval * (1 + SPREAD * (2 * random() - 1));
}
