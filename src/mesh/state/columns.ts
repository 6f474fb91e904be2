/** Numbers of entries, and columns of typed arrays with a value for each. */

const INITIAL = 64;

/** Returns the array where `id` fits, else a longer copy. */
export function columnFor<T extends Uint32Array | Uint8Array>(column: T, id: number): T {
  if (id < column.length) return column;
  const longer = new (column.constructor as new (length: number) => T)(Math.max(INITIAL, column.length * 2, id + 1));
  longer.set(column);
  return longer;
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
