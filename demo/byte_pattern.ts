/**
 * An endless sequence of bytes, any part of which can be computed again: random blocks, each with its number in front,
 * so that lost, duplicated and swapped parts are detected. Computing and comparing costs little in comparison to
 * sending.
 */
import { Buffer } from "node:buffer";

const BLOCK = 1024 * 1024;
/** Most bytes per call of `getRandomValues`. */
const RANDOM_MAX = 65_536;

/** A random block. */
export function randomBlock(): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(BLOCK);
  for (let at = 0; at < BLOCK; at += RANDOM_MAX) crypto.getRandomValues(block.subarray(at, at + RANDOM_MAX));
  return block;
}

/** The sequence of one block. */
export class BytePattern {
  readonly #block: Uint8Array<ArrayBuffer>;
  readonly #number: DataView;

  /** Patterns of equal blocks are equal. */
  constructor(block: Uint8Array<ArrayBuffer>) {
    this.#block = block.slice();
    this.#number = new DataView(this.#block.buffer);
  }

  /** Bytes from `offset` on: at least one, at most `max`. Lent until the next call. */
  at(offset: number, max: number): Uint8Array {
    this.#number.setUint32(0, Math.floor(offset / BLOCK));
    const start = offset % BLOCK;
    return this.#block.subarray(start, Math.min(BLOCK, start + max));
  }

  /** Whether `bytes` equal the sequence from `offset` on. */
  matches(offset: number, bytes: Uint8Array): boolean {
    for (let done = 0; done < bytes.length;) {
      const expected = this.at(offset + done, bytes.length - done);
      if (Buffer.compare(expected, bytes.subarray(done, done + expected.length)) !== 0) return false;
      done += expected.length;
    }
    return true;
  }
}
