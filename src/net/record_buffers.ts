/** Memory that the TLS sessions of one event loop share. */
import { LONGEST_RECORD } from "./record_limits.ts";

/** Bytes of {@link RecordBuffers.input}, and so of the largest read. */
export const INPUT = 262_144;
/** More than a unit of records: 65535 bytes at most. */
const BLOCK = 65_536;
/** Blocks that are made, and used again and again. Further bytes are kept in memory of their size. */
const BLOCKS = 8;
/** Fewer bytes are kept in memory of their size. */
const WORTH_A_BLOCK = 4096;

/** Bytes that wait. */
export interface KeptBytes {
  readonly memory: Uint8Array<ArrayBuffer>;
  from: number;
  readonly end: number;
}

/** One for each event loop. */
export class RecordBuffers {
  /** Records as they were received. Its content is valid within one read. */
  readonly input = new Uint8Array(INPUT);
  /** Records that are to be sent. Its content is valid within one write. */
  readonly output = new Uint8Array(BLOCK);
  /** The content of a record that does not fit into the memory of its reader. */
  readonly scratch = new Uint8Array(LONGEST_RECORD);
  readonly #free: Uint8Array<ArrayBuffer>[] = [];
  #blocks = 0;

  /** Keeps a copy of a part of `bytes`, until {@link release}. */
  keep(bytes: Uint8Array, from: number, end: number): KeptBytes {
    const length = end - from;
    const memory = (length < WORTH_A_BLOCK || length > BLOCK ? null : this.#block()) ?? new Uint8Array(length);
    memory.set(bytes.subarray(from, end));
    return { memory, from: 0, end: length };
  }

  release({ memory }: KeptBytes): void {
    if (memory.length === BLOCK && this.#free.length < BLOCKS) this.#free.push(memory);
  }

  /**
   * Null: all are in use. Bulk uses few of them at a time. Thousands of peers that stop in the middle of a record must not
   * hold a block each.
   */
  #block(): Uint8Array<ArrayBuffer> | null {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#blocks === BLOCKS) return null;
    this.#blocks++;
    return new Uint8Array(BLOCK);
  }
}
