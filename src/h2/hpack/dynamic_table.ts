/**
 * The dynamic table of one direction, RFC 7541 §2.3.2 and §4: a ring, newest entry first, bounded by the sum of the
 * sizes of its entries. So it has never more than `maxSize / 32` entries.
 */

/** What §4.1 adds to the length of name and value. RFC 9113 §6.5.2 counts header lists the same way. */
export const ENTRY_OVERHEAD = 32;

/** Table size of both sides until settings say otherwise, RFC 9113 §6.5.2. */
export const DEFAULT_TABLE_SIZE = 4096;

const FIRST_CAPACITY = 8;

export interface Sized {
  /** In octets, per §4.1. */
  readonly size: number;
}

export class DynamicTable<Entry extends Sized> {
  // Its length is a power of two. Entry number n (the first ever added is 0) lies at n & (length - 1).
  #ring: (Entry | undefined)[] = new Array(FIRST_CAPACITY).fill(undefined);
  #added = 0;
  #length = 0;
  #size = 0;
  #maxSize: number;
  readonly #onEvict: ((entry: Entry) => void) | null;

  constructor(maxSize: number, onEvict: ((entry: Entry) => void) | null = null) {
    this.#maxSize = maxSize;
    this.#onEvict = onEvict;
  }

  /** Entries ever added: also the number that the next one gets. */
  get added(): number {
    return this.#added;
  }

  get length(): number {
    return this.#length;
  }

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

  /** Makes room as §4.4 says: an entry larger than the table empties it and is not added. */
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
      this.#onEvict?.(oldest);
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
