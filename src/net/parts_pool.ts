/** Lists of the parts of a buffer that one system call writes. */
import { MAX_PARTS } from "../os/iovec.ts";

const MAX_FREE_LISTS = 256;

/**
 * Lends lists of {@link MAX_PARTS} (offset, length) pairs. A stream needs one only from its first DATA of a pass to the
 * end of that pass, so a few lists serve all streams.
 */
export class PartsPool {
  readonly #free: Int32Array[] = [];

  borrow(): Int32Array {
    return this.#free.pop() ?? new Int32Array(2 * MAX_PARTS);
  }

  giveBack(parts: Int32Array): void {
    if (this.#free.length < MAX_FREE_LISTS) this.#free.push(parts);
  }
}
