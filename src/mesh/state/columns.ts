/** Numbers of entries, and columns of typed arrays with a value for each. */

const INITIAL = 64;

/**
 * Returns the column where `id` fits, else a longer one in its place. The old memory is given back at once: collections
 * of an isolate that has nothing to do come late.
 */
export function columnFor(column: Uint32Array<ArrayBuffer>, id: number): Uint32Array<ArrayBuffer> {
  if (id < column.length) return column;
  const length = Math.max(INITIAL, column.length * 2, id + 1);
  return new Uint32Array(column.buffer.transfer(length * Uint32Array.BYTES_PER_ELEMENT));
}

/** Gives out numbers from 0, those that were given back first. */
export class Numbers {
  readonly #free: number[] = [];
  #end = 0;

  /** The first number that was never given out. */
  get end(): number {
    return this.#end;
  }

  /** How many are in use. */
  get size(): number {
    return this.#end - this.#free.length;
  }

  take(): number {
    return this.#free.pop() ?? this.#end++;
  }

  giveBack(id: number): void {
    this.#free.push(id);
  }

  clear(): void {
    this.#free.length = 0;
    this.#end = 0;
  }
}
