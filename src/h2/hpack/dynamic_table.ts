/**
 * The dynamic table of one direction (RFC 7541 §2.3.2, §4). The sum of the sizes of its entries is bounded, so it has
 * never more than `maxSize / 32` entries.
 */

/** RFC 7541 §4.1 adds this to the lengths of name and value. RFC 9113 §6.5.2 counts header lists the same way. */
export const ENTRY_OVERHEAD = 32;

/** Table size of both sides until SETTINGS change it (RFC 9113 §6.5.2). */
export const DEFAULT_TABLE_SIZE = 4096;

const FIRST_CAPACITY = 8;

/** An entry of a table. */
export interface Sized {
  /** In octets (RFC 7541 §4.1). */
  readonly size: number;
}

/** A ring of entries, the newest first. */
export class DynamicTable<Entry extends Sized> {
  // Its length is a power of two. Entry number n (the first ever added is 0) lies at n & (length - 1).
  #ring: (Entry | undefined)[] = new Array(FIRST_CAPACITY).fill(undefined);
  #added = 0;
  #length = 0;
  #size = 0;
  #maxSize: number;

  /** `maxSize`: in octets. */
  constructor(maxSize: number) {
    this.#maxSize = maxSize;
  }

  /** Number of entries. */
  get length(): number {
    return this.#length;
  }

  /** Sum of the sizes of all entries, in octets. */
  get size(): number {
    return this.#size;
  }

  get maxSize(): number {
    return this.#maxSize;
  }

  /** The entry `age` steps behind the newest (0), or undefined. */
  at(age: number): Entry | undefined {
    if (age < 0 || age >= this.#length) return undefined;
    return this.#ring[(this.#added - 1 - age) & (this.#ring.length - 1)];
  }

  /** Evicts entries until one of `size` octets fits. False: it is larger than the table, which is empty then (§4.4). */
  makeRoom(size: number): boolean {
    this.#evictDownTo(this.#maxSize - size);
    return size <= this.#maxSize;
  }

  /** Adds an entry that {@link makeRoom} was called for. */
  push(entry: Entry): void {
    if (this.#length === this.#ring.length) this.#grow();
    this.#ring[this.#added & (this.#ring.length - 1)] = entry;
    this.#added++;
    this.#length++;
    this.#size += entry.size;
  }

  /** Changes the limit, and evicts entries above it (§4.3). */
  setMaxSize(maxSize: number): void {
    this.#maxSize = maxSize;
    this.#evictDownTo(maxSize);
  }

  #evictDownTo(limit: number): void {
    while (this.#length > 0 && this.#size > limit) {
      const slot = (this.#added - this.#length) & (this.#ring.length - 1);
      const oldest = this.#ring[slot] as Entry;
      this.#ring[slot] = undefined;
      this.#length--;
      this.#size -= oldest.size;
    }
  }

  #grow(): void {
    const larger: (Entry | undefined)[] = new Array(this.#ring.length * 2).fill(undefined);
    for (let n = this.#added - this.#length; n < this.#added; n++) {
      larger[n & (larger.length - 1)] = this.#ring[n & (this.#ring.length - 1)];
    }
    this.#ring = larger;
  }
}
