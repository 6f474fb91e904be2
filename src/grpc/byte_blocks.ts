/** A message in pieces of one size: 200 MB in one piece would cost half a second to put together. */

const SHIFT = 18;
/** 256 KB. Every block but the last has this size. */
export const BLOCK_SIZE = 1 << SHIFT;
const MASK = BLOCK_SIZE - 1;

export class ByteBlocks {
  /** In bytes. */
  readonly length: number;
  readonly #blocks: readonly Uint8Array[];

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

  /**
   * Gives the memory back now, since an isolate that has become idle does not collect; block by block, as 200 MB take
   * 20 ms. Views that {@link slice} gave are empty from here on.
   */
  *release(): Generator<void> {
    for (const { buffer } of this.#blocks) {
      if (buffer instanceof ArrayBuffer) buffer.transfer(0);
      yield;
    }
  }

  /** All of it in one piece: for messages known to be small. */
  toBytes(): Uint8Array {
    return this.slice(0, this.length);
  }
}
