/** A message in pieces of one size: 200 MB in one piece would cost half a second to put together. */
import { Buffer } from "node:buffer";

const SHIFT = 18;
/** 256 KB. Every block but the last has this size. */
export const BLOCK_SIZE = 1 << SHIFT;
const MASK = BLOCK_SIZE - 1;

/** A block with a method of Node's that its types leave out. It costs a fifth of what `TextDecoder` does. */
interface TextBlock extends Buffer {
  latin1Slice(start: number, end: number): string;
}

export class ByteBlocks {
  /** In bytes. */
  readonly length: number;
  readonly #blocks: readonly Uint8Array[];
  /** The same memory, made where text is read. */
  readonly #texts: TextBlock[] = [];
  /** So many blocks are gone. */
  #released = 0;

  /** `blocks`: each of {@link BLOCK_SIZE} bytes, the last one of at most that. */
  constructor(blocks: readonly Uint8Array[]) {
    this.#blocks = blocks;
    const last = blocks.at(-1);
    this.length = last === undefined ? 0 : (blocks.length - 1) * BLOCK_SIZE + last.length;
  }

  /** The byte at `index`, which must be in `[0, length)`. */
  at(index: number): number {
    return this.#blocks[index >>> SHIFT]![index & MASK]!;
  }

  /** Bytes of `[start, end)`: a view where they lie in one block, else a copy. */
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

  /** The text of `[start, end)` where that is ASCII and lies in one block; null elsewhere. */
  ascii(start: number, end: number): string | null {
    const index = start >>> SHIFT;
    const from = start & MASK, to = from + end - start;
    const block = this.#blocks[index];
    if (block === undefined || to > block.length) return null;
    for (let i = from; i < to; i++) if (block[i]! > 127) return null;
    return (this.#texts[index] ??= textBlock(block)).latin1Slice(from, to);
  }

  /**
   * Gives the memory back now, since an isolate that has become idle does not collect; block by block, as 200 MB take
   * 20 ms. `free` empties what it is given, so views that {@link slice} gave are empty from here on.
   */
  *release(free: (buffer: ArrayBuffer) => void): Generator<void> {
    while (this.#released < this.#blocks.length) {
      this.#releaseBlock(free);
      yield;
    }
  }

  /** Gives back all blocks before `end`, while those after it are still to be read. */
  releaseTo(end: number, free: (buffer: ArrayBuffer) => void): void {
    while (this.#released < end >>> SHIFT) this.#releaseBlock(free);
  }

  #releaseBlock(free: (buffer: ArrayBuffer) => void): void {
    const { buffer } = this.#blocks[this.#released++]!;
    if (buffer instanceof ArrayBuffer) free(buffer);
  }

  /** All of it in one piece: for messages known to be small. */
  toBytes(): Uint8Array {
    return this.slice(0, this.length);
  }
}

function textBlock({ buffer, byteOffset, length }: Uint8Array): TextBlock {
  return Buffer.from(buffer, byteOffset, length) as TextBlock;
}
