/**
 * A map from integers to objects that are added and removed all the time: streams, connections, descriptors.
 *
 * V8's `Map` and `Set` replace their table every few insertions, and each table refers to the one that replaced it. When a
 * table of a long-lived map is in the old generation, all later tables survive the collections of the young generation,
 * with everything that was in them. Then only a collection of the whole heap frees removed streams, and it stops the
 * thread for ten milliseconds. Here a table that is replaced refers to nothing any more.
 */

const SMALLEST = 8;
/** Tables up to this size are kept when entries are removed: most maps of connections become empty all the time. */
const KEPT = 64;

/** A hash table with open addressing. */
export class NumberMap<T extends object> {
  /** Plain arrays: many maps have one entry, and a typed array of that size takes 400 bytes. */
  #keys: number[] = new Array(SMALLEST).fill(0);
  #values: (T | undefined)[] = new Array(SMALLEST).fill(undefined);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** How many entries the table has room for, for tests. */
  get slots(): number {
    return this.#keys.length;
  }

  get(key: number): T | undefined {
    return this.#values[this.#find(key)];
  }

  has(key: number): boolean {
    return this.#values[this.#find(key)] !== undefined;
  }

  /** `key`: an integer from -2^31 to 2^31 - 1. */
  set(key: number, value: T): void {
    const at = this.#find(key);
    if (this.#values[at] === undefined) this.#size++;
    this.#keys[at] = key;
    this.#values[at] = value;
    if (2 * this.#size > this.#keys.length) this.#resize(2 * this.#keys.length);
  }

  /** False: there was no such key. */
  delete(key: number): boolean {
    const at = this.#find(key);
    if (this.#values[at] === undefined) return false;
    this.#closeGap(at);
    this.#size--;
    if (this.#keys.length > KEPT && 16 * this.#size < this.#keys.length) this.#resize(this.#keys.length >> 2);
    return true;
  }

  /** Returns a copy of the values by ascending keys. Costs a sort. */
  values(): T[] {
    // An array of numbers is sorted five times as fast as one of indexes with a comparison.
    const keys = new Int32Array(this.#size);
    let count = 0;
    for (let at = 0; at < this.#keys.length; at++) if (this.#values[at] !== undefined) keys[count++] = this.#keys[at]!;
    keys.sort();
    const values = new Array<T>(keys.length);
    for (let i = 0; i < keys.length; i++) values[i] = this.get(keys[i]!)!;
    return values;
  }

  /** The index of `key`, or where it must be inserted. */
  #find(key: number): number {
    const keys = this.#keys, values = this.#values, mask = keys.length - 1;
    let at = scatter(key) & mask;
    while (values[at] !== undefined && keys[at] !== key) at = (at + 1) & mask;
    return at;
  }

  /** Moves entries that {@link #find} would not find behind the gap. */
  #closeGap(gap: number): void {
    const keys = this.#keys, values = this.#values, mask = keys.length - 1;
    for (let at = (gap + 1) & mask; values[at] !== undefined; at = (at + 1) & mask) {
      const home = scatter(keys[at]!) & mask;
      if (((at - home) & mask) < ((at - gap) & mask)) continue;
      keys[gap] = keys[at]!;
      values[gap] = values[at];
      gap = at;
    }
    values[gap] = undefined;
  }

  #resize(length: number): void {
    const keys = this.#keys, values = this.#values;
    this.#keys = new Array(length).fill(0);
    this.#values = new Array(length).fill(undefined);
    for (let i = 0; i < keys.length; i++) {
      if (values[i] === undefined) continue;
      const at = this.#find(keys[i]!);
      this.#keys[at] = keys[i]!;
      this.#values[at] = values[i];
    }
    values.length = 0;
  }
}

function scatter(key: number): number {
  const mixed = Math.imul(key, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}
