/**
 * A queue of bytes that could not be written yet. The owner bounds it: by the window of the stream that they came from,
 * or by the size of one read. The bytes are copied into blocks, so that many tiny frames take no more memory than their
 * bytes (`docs/spec/observed.md` O26).
 */
import { type Duplex, FAILED } from "../net/duplex.ts";
import { BLOCK, type BlockPool } from "../net/block_pool.ts";

/** A queue of bytes. Each block but the first is for as many bytes as are in the queue, up to {@link BLOCK}. */
export class PendingBytes {
  readonly #pool: BlockPool;
  readonly #blocks: Uint8Array[] = [];
  /** Bytes of the first block that were taken. */
  #sent = 0;
  /** Bytes of the last block that are filled. */
  #filled = 0;
  #length = 0;

  constructor(pool: BlockPool) {
    this.#pool = pool;
  }

  /** Bytes in the queue. */
  get length(): number {
    return this.#length;
  }

  /** Size of the blocks, in bytes. */
  get allocated(): number {
    return this.#blocks.reduce((sum, block) => sum + block.length, 0);
  }

  /** Adds a copy of `bytes[start, end)`. */
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

  /** Writes the bytes in order. Returns how many were taken, or {@link FAILED}. */
  writeTo(to: Duplex): number {
    let total = 0;
    while (this.#length > 0) {
      const offered = this.#firstLength;
      const taken = to.write(this.#blocks[0]!.subarray(this.#sent, this.#sent + offered));
      if (taken === FAILED) return FAILED;
      total += taken;
      this.#took(taken);
      if (taken < offered) break;
    }
    return total;
  }

  /** Moves the first bytes into `into`, as many as fit. Returns how many. */
  readInto(into: Uint8Array): number {
    let total = 0;
    while (this.#length > 0 && total < into.length) {
      const count = Math.min(this.#firstLength, into.length - total);
      into.set(this.#blocks[0]!.subarray(this.#sent, this.#sent + count), total);
      total += count;
      this.#took(count);
    }
    return total;
  }

  /** Drops all bytes. */
  clear(): void {
    for (const block of this.#blocks) this.#pool.giveBack(block);
    this.#blocks.length = 0;
    this.#sent = this.#filled = this.#length = 0;
  }

  /** Bytes of the first block. */
  get #firstLength(): number {
    return (this.#blocks.length === 1 ? this.#filled : this.#blocks[0]!.length) - this.#sent;
  }

  /** `count` bytes of the first block were taken. */
  #took(count: number): void {
    const isWhole = count === this.#firstLength;
    this.#length -= count;
    this.#sent += count;
    if (!isWhole) return;
    this.#pool.giveBack(this.#blocks.shift()!);
    this.#sent = 0;
  }

  #blockFor(wanted: number): Uint8Array {
    const last = this.#blocks.at(-1);
    if (last !== undefined && this.#filled < last.length) return last;
    const block = this.#pool.borrowFor(Math.min(BLOCK, Math.max(wanted, this.#length)));
    this.#blocks.push(block);
    this.#filled = 0;
    return block;
  }
}
