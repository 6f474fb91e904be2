/**
 * PINGs of ours (`docs/spec/dataplane.md` 2.3). One is sent after an interval in which nothing was received; anything
 * received proves that the peer lives, so a connection in use sends none. No sign of life in time means that the peer is
 * gone.
 *
 *                        ┌──────── something was received: due later ────────┐
 *                        ▼                                                   │
 *     constructed ──▶ WAITING ──interval without a sign of life──▶ PING sent ┤
 *                                                                            └─timeout without one─▶ expired
 *
 * What is received only notes its time. The deadline is computed when somebody asks for it, so a busy connection moves no
 * timer: its timer runs, finds the deadline later than it was, and is set again.
 */
import type { Millis } from "./seam.ts";

/** First half of the payload: which of our PINGs an ACK answers. */
export const KEEPALIVE_PING = 0x6b656570;
export const DRAIN_PING = 0x64726169;
/** The part of the interval by which it may be longer or shorter. */
const SPREAD = 0.15;

export class Keepalive {
  private lastReceived: Millis;
  /** When a sign of life must have come; Infinity: no PING is outstanding. */
  private answerBy: Millis = Infinity;
  private sequence = 0;
  /** The ACK of the last PING has not come yet. */
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

  /** Bytes came, of whatever kind. */
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

/** `random` gives [0, 1): connections that were opened together do not send their PINGs together for ever. */
export function spreadInterval(interval: Millis, random: () => number): Millis {
  return interval * (1 + SPREAD * (2 * random() - 1));
}
