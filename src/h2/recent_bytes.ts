/** Tells streams that send little from those that move bulk, by what they sent lately. */
import type { Millis } from "./seam.ts";

/** Up to so many bytes within {@link PERIOD} are little. */
export const SPARSE_BYTES = 16_384;
/**
 * Room for all streams that send little behind what bulk has gathered. Each of them needs 16 KiB free, as how much it
 * will send is known only after its read.
 */
export const SPARSE_ROOM = 32_768;
const PERIOD: Millis = 200;

export class RecentBytes {
  #count = 0;
  #since: Millis = -Infinity;

  add(length: number, now: Millis): void {
    if (now - this.#since >= PERIOD) {
      this.#since = now;
      this.#count = 0;
    }
    this.#count += length;
  }

  areFew(now: Millis): boolean {
    return this.#count <= SPARSE_BYTES || now - this.#since >= PERIOD;
  }
}
