/** A message in blocks of equal size: copying 200 MB into one buffer would take half a second. */
import { Buffer } from "node:buffer";

const SHIFT = 18;
/** 256 KB. Every block but the last has this size. */
export const BLOCK_SIZE = 1 << SHIFT;
const MASK = BLOCK_SIZE - 1;

/** Declares a method of Node that is missing in its types. It takes a fifth of the time of `TextDecoder`. */
interface TextBlock extends Buffer {
  latin1Slice(start: number, end: number): string;
}

/** The bytes of a message, which may be released block by block while it is read. */
export class ByteBlocks {
  /** In bytes, also after a release. */
  readonly length: number;
  readonly #blocks: readonly Uint8Array[];
  /** Views of the blocks as `Buffer`, created by `ascii`. */
  readonly #texts: TextBlock[] = [];
  /** The number of released blocks. */
  #released = 0;

  /** `blocks`: each of {@link BLOCK_SIZE} bytes, the last one of at most that. */
  constructor(blocks: readonly Uint8Array[]) {
    this.#blocks = blocks;
    const last = blocks.at(-1);
    this.length = last === undefined ? 0 : (blocks.length - 1) * BLOCK_SIZE + last.length;
  }

  /** Returns the byte at `index`, which must be in `[0, length)`. */
  at(index: number): number {
    return this.#blocks[index >>> SHIFT]![index & MASK]!;
  }

  /** Returns the bytes of `[start, end)`: a view where they are in one block, else a copy. */
  slice(start: number, end: number): Uint8Array {
    if (start >= end) return new Uint8Array();
    const first = start >>> SHIFT;
    const from = start & MASK;
    const size = end - start;
    if (from + size <= BLOCK_SIZE) return this.#blocks[first]!.subarray(from, from + size);
    const copy = new Uint8Array(size);
    for (let index = first, at = 0; at < size; index++) {
      const block = this.#blocks[index]!;
      const part = block.subarray(index === first ? from : 0, index === first ? undefined : size - at);
      copy.set(part, at);
      at += part.length;
    }
    return copy;
  }

  /** Returns the text of `[start, end)`; null unless it is ASCII and in one block. */
  ascii(start: number, end: number): string | null {
    const index = start >>> SHIFT;
    const from = start & MASK, to = from + end - start;
    const block = this.#blocks[index];
    if (block === undefined || to > block.length) return null;
    for (let i = from; i < to; i++) if (block[i]! > 127) return null;
    return (this.#texts[index] ??= textBlock(block)).latin1Slice(from, to);
  }

  /**
   * Frees the memory at once, as an idle isolate does not collect garbage; one block per step, as 200 MB take 20 ms.
   * `free` detaches the buffer, so views returned by {@link slice} are empty afterwards.
   */
  *release(free: (buffer: ArrayBuffer) => void): Generator<void> {
    while (this.#released < this.#blocks.length) {
      this.#releaseBlock(free);
      yield;
    }
  }

  /** Frees all blocks before `end`; those after it can still be read. */
  releaseTo(end: number, free: (buffer: ArrayBuffer) => void): void {
    while (this.#released < end >>> SHIFT) this.#releaseBlock(free);
  }

  #releaseBlock(free: (buffer: ArrayBuffer) => void): void {
    const { buffer } = this.#blocks[this.#released++]!;
    if (buffer instanceof ArrayBuffer) free(buffer);
  }

  /** Returns all bytes in one array, for small messages. */
  toBytes(): Uint8Array {
    return this.slice(0, this.length);
  }
}

function textBlock({ buffer, byteOffset, length }: Uint8Array): TextBlock {
  return Buffer.from(buffer, byteOffset, length) as TextBlock;
}
