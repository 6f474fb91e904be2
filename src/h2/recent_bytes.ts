/** Distinguishes streams that send little from bulk streams, by the bytes that they have sent lately. */
import type { Millis } from "../net/clock.ts";

/** A stream that sends at most this many bytes within {@link PERIOD} sends little. */
export const SPARSE_BYTES = 16_384;
/**
 * Buffer space for all streams that send little, in addition to what bulk streams have filled. Each of them needs
 * 16 KiB free, because the length of a read is known only afterwards.
 */
export const SPARSE_ROOM = 32_768;
const PERIOD: Millis = 200;

/** Counts the bytes that one stream has sent lately. */
export class RecentBytes {
  #count = 0;
  #since: Millis = -Infinity;

  /** `length` bytes were sent. */
  add(length: number, now: Millis): void {
    if (now - this.#since >= PERIOD) {
      this.#since = now;
      this.#count = 0;
    }
    this.#count += length;
  }

  /** The stream sends little: see {@link SPARSE_BYTES}. */
  areFew(now: Millis): boolean {
    return this.#count <= SPARSE_BYTES || now - this.#since >= PERIOD;
  }
}
