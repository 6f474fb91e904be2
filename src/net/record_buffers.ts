/** Memory that the TLS sessions of one event loop share. */
import { LONGEST_RECORD } from "./record_limits.ts";

/** Bytes of {@link RecordBuffers.input}, and so of the largest read. */
export const INPUT = 262_144;
/** More than a unit of records: 65535 bytes at most. */
const BLOCK = 65_536;
const KEPT_BLOCKS = 8;
/** Fewer bytes are kept in memory of their size. */
const WORTH_A_BLOCK = 4096;

/** Bytes that wait, in a block that has room for more. */
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

  /** Keeps a copy of a part of `bytes`, until {@link release}. */
  keep(bytes: Uint8Array, from: number, end: number): KeptBytes {
    const length = end - from;
    const memory = length < WORTH_A_BLOCK || length > BLOCK
      ? new Uint8Array(length)
      : this.#free.pop() ?? new Uint8Array(BLOCK);
    memory.set(bytes.subarray(from, end));
    return { memory, from: 0, end: length };
  }

  release({ memory }: KeptBytes): void {
    if (memory.length === BLOCK && this.#free.length < KEPT_BLOCKS) this.#free.push(memory);
  }
}
