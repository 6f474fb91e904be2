/**
 * PINGs of ours: the first after one interval, then one interval after each answer; no answer in time means the peer
 * is gone (`docs/spec/dataplane.md` 2.3).
 */
import type { Millis } from "./seam.ts";

/** First half of the payload: which of our PINGs an ACK answers. */
export const KEEPALIVE_PING = 0x6b656570;
export const DRAIN_PING = 0x64726169;

export class Keepalive {
  private nextAt: Millis;
  private answerBy: Millis = Infinity;
  private sequence = 0;

  constructor(private readonly interval: Millis, readonly timeout: Millis, now: Millis) {
    this.nextAt = now + interval;
  }

  /** When the next PING or the timeout is due. */
  get deadline(): Millis {
    return this.outstanding ? this.answerBy : this.nextAt;
  }

  get outstanding(): boolean {
    return this.answerBy !== Infinity;
  }

  /** A PING is sent now; returns the second half of its payload. */
  sent(now: Millis): number {
    this.answerBy = now + this.timeout;
    this.sequence = (this.sequence + 1) >>> 0;
    return this.sequence;
  }

  /** An ACK with the second half `sequence`. False: nobody asked. */
  answered(sequence: number, now: Millis): boolean {
    if (!this.outstanding || sequence !== this.sequence) return false;
    this.answerBy = Infinity;
    this.nextAt = now + this.interval;
    return true;
  }

  expired(now: Millis): boolean {
    return now >= this.answerBy;
  }

  due(now: Millis): boolean {
    return !this.outstanding && now >= this.nextAt;
  }
}
