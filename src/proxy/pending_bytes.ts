/**
 * Bytes that a socket did not take yet. Bounded by its owner: the window of the stream they came from, or the size of
 * one read. Gathered in blocks, so that a flood of tiny frames costs no more memory than what it carries
 * (`docs/spec/observed.md` O26).
 */
import type { Duplex } from "../net/duplex.ts";
import { FAILED } from "../net/duplex.ts";

/** Bytes of a block: as much again as is held already, within these. */
const SMALLEST = 1024;
const LARGEST = 65_536;

export class PendingBytes {
  readonly #blocks: Uint8Array[] = [];
  /** Bytes of the first block that have left. */
  #sent = 0;
  /** Bytes of the last block that are filled. */
  #filled = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Bytes of memory that hold them. */
  get allocated(): number {
    return this.#blocks.reduce((sum, block) => sum + block.length, 0);
  }

  /** Copies `bytes[start, end)`. */
  add(bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end;) {
      const block = this.#blockFor(end - at);
      const count = Math.min(end - at, block.length - this.#filled);
      block.set(bytes.subarray(at, at + count), this.#filled);
      this.#filled += count;
      this.#length += count;
      at += count;
    }
  }

  /** Offers them in order. Returns how many bytes were taken; {@link FAILED} when the stream failed. */
  writeTo(to: Duplex): number {
    let total = 0;
    while (this.#length > 0) {
      const block = this.#blocks[0]!;
      const offered = block.subarray(this.#sent, this.#blocks.length === 1 ? this.#filled : block.length);
      const taken = to.write(offered);
      if (taken === FAILED) return FAILED;
      total += taken;
      this.#sent += taken;
      this.#length -= taken;
      if (taken < offered.length) break;
      this.#blocks.shift();
      this.#sent = 0;
    }
    return total;
  }

  clear(): void {
    this.#blocks.length = 0;
    this.#sent = this.#filled = this.#length = 0;
  }

  #blockFor(wanted: number): Uint8Array {
    const last = this.#blocks.at(-1);
    if (last !== undefined && this.#filled < last.length) return last;
    const size = Math.max(wanted, Math.min(Math.max(this.#length, SMALLEST), LARGEST));
    const block = new Uint8Array(size);
    this.#blocks.push(block);
    this.#filled = 0;
    return block;
  }
}
