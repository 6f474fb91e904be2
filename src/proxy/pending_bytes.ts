/**
 * Bytes that a socket did not take yet. Bounded by its owner: the window of the stream they came from, or the size of
 * one read. Kept as the chunks they were copied in.
 */
import type { Duplex } from "../net/duplex.ts";
import { FAILED } from "../net/duplex.ts";

export class PendingBytes {
  #chunks: Uint8Array[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Copies `bytes[start, end)`. */
  add(bytes: Uint8Array, start: number, end: number): void {
    if (end <= start) return;
    this.#chunks.push(bytes.slice(start, end));
    this.#length += end - start;
  }

  /** Offers the chunks in order. Returns how many bytes were taken; {@link FAILED} when the stream failed. */
  writeTo(to: Duplex): number {
    let total = 0;
    while (this.#chunks.length > 0) {
      const chunk = this.#chunks[0]!;
      const taken = to.write(chunk);
      if (taken === FAILED) return FAILED;
      total += taken;
      this.#length -= taken;
      if (taken < chunk.length) {
        this.#chunks[0] = chunk.subarray(taken);
        break;
      }
      this.#chunks.shift();
    }
    return total;
  }

  clear(): void {
    this.#chunks = [];
    this.#length = 0;
  }
}
