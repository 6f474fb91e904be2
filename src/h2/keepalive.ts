/**
 * Our PINGs (`docs/spec/dataplane.md` 2.3). One is sent after an interval in which nothing was received. Any received
 * bytes prove that the peer is alive, so a connection in use sends no PING. If nothing is received within the timeout
 * after a PING, the peer counts as dead.
 *
 *                        ┌──────── something was received: due later ────────┐
 *                        ▼                                                   │
 *     constructed ──▶ WAITING ──interval without a sign of life──▶ PING sent ┤
 *                                                                            └─timeout without one─▶ expired
 *
 * Receiving bytes only records the time. The deadline is computed when it is read, so a busy connection moves no timer:
 * its timer fires, finds that the deadline is later, and is set again.
 */
import type { Millis } from "./seam.ts";

/** First half of the payload: which of our PINGs an ACK answers. */
export const KEEPALIVE_PING = 0x6b656570;
export const DRAIN_PING = 0x64726169;
/** The fraction of the interval by which it may be longer or shorter. */
const SPREAD = 0.15;

export class Keepalive {
  private lastReceived: Millis;
  /** When bytes must have been received; Infinity: no PING is outstanding. */
  private answerBy: Millis = Infinity;
  private sequence = 0;
  /** The last PING has not been acknowledged yet. */
  private ackDue = false;

  constructor(private readonly interval: Millis, readonly timeout: Millis, now: Millis) {
    this.lastReceived = now;
  }

  /** When the next PING or the timeout is due. */
  get deadline(): Millis {
    return this.outstanding ? this.answerBy : this.lastReceived + this.interval;
  }

  /** A PING was sent, and nothing has been received since. */
  get outstanding(): boolean {
    return this.answerBy !== Infinity;
  }

  /** Bytes of any kind were received. */
  received(now: Millis): void {
    this.lastReceived = now;
    this.answerBy = Infinity;
  }

  /** A PING is sent now; returns the second half of its payload. */
  sent(now: Millis): number {
    this.answerBy = now + this.timeout;
    this.ackDue = true;
    this.sequence = (this.sequence + 1) >>> 0;
    return this.sequence;
  }

  /** An ACK with the second half `sequence`. False: nobody asked. */
  answered(sequence: number): boolean {
    if (!this.ackDue || sequence !== this.sequence) return false;
    this.ackDue = false;
    return true;
  }

  expired(now: Millis): boolean {
    return now >= this.answerBy;
  }

  due(now: Millis): boolean {
    return !this.outstanding && now >= this.lastReceived + this.interval;
  }
}

/** `random` gives [0, 1): connections that were opened at the same time do not send all their PINGs together. */
export function spreadInterval(interval: Millis, random: () => number): Millis {
  return interval * (1 + SPREAD * (2 * random() - 1));
}
