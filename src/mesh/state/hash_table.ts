/**
 * A table from hashes to small numbers, in typed arrays: eight bytes for each slot, no object for an entry. Several
 * entries may have one hash. Whether an entry is the wanted one is decided by the caller.
 *
 * Entries lie at the slot of their hash or behind it (linear probing); removing one moves later entries forward. It is
 * split into parts by the first bits of the hash, which grow at different times, so that no step copies much.
 */

/** Parts, a power of two. */
const PART_BITS = 5;
const INITIAL_SLOTS = 16;
/** Four of five slots are used at most. */
const MAX_LOAD = 0.8;

/** Slots with a hash and a number, which is stored plus one: 0 is a free slot. */
class Part {
  #slots = new Uint32Array(2 * INITIAL_SLOTS);
  #mask = INITIAL_SLOTS - 1;
  #size = 0;

  add(hash: number, id: number): void {
    if (this.#size >= (this.#mask + 1) * MAX_LOAD) this.#grow();
    this.#put(hash, id + 1);
    this.#size++;
  }

  #put(hash: number, stored: number): void {
    let at = hash & this.#mask;
    while (this.#slots[2 * at + 1] !== 0) at = (at + 1) & this.#mask;
    this.#slots[2 * at] = hash;
    this.#slots[2 * at + 1] = stored;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(2 * old.length);
    this.#mask = old.length - 1;
    for (let i = 0; i < old.length; i += 2) if (old[i + 1] !== 0) this.#put(old[i]!, old[i + 1]!);
    // Gives the memory back at once.
    old.buffer.transfer(0);
  }

  remove(hash: number, id: number): void {
    const slots = this.#slots, mask = this.#mask;
    let at = hash & mask;
    while (slots[2 * at] !== hash || slots[2 * at + 1] !== id + 1) {
      if (slots[2 * at + 1] === 0) return;
      at = (at + 1) & mask;
    }
    this.#size--;
    for (let next = (at + 1) & mask; slots[2 * next + 1] !== 0; next = (next + 1) & mask) {
      // An entry may move to the free slot unless its own place lies between that and where it is.
      const home = slots[2 * next]! & mask;
      if (((next - home) & mask) < ((next - at) & mask)) continue;
      slots[2 * at] = slots[2 * next]!;
      slots[2 * at + 1] = slots[2 * next + 1]!;
      at = next;
    }
    slots[2 * at] = slots[2 * at + 1] = 0;
  }

  /** Returns the number of the entry with this hash behind `skipped` others; -1: there is none. */
  nth(hash: number, skipped: number): number {
    const slots = this.#slots, mask = this.#mask;
    for (let at = hash & mask;; at = (at + 1) & mask) {
      const stored = slots[2 * at + 1]!;
      if (stored === 0) return -1;
      if (slots[2 * at] === hash && skipped-- === 0) return stored - 1;
    }
  }
}

/** Numbers by hash. A number is below 2^32 - 1. */
export class HashTable {
  #parts: Part[] = [];

  constructor() {
    this.clear();
  }

  add(hash: number, id: number): void {
    this.#part(hash).add(hash, id);
  }

  /** Removes an entry; no effect where it is not there. */
  remove(hash: number, id: number): void {
    this.#part(hash).remove(hash, id);
  }

  /** Returns one of the entries with this hash, in no particular order, the first for 0; -1: there are not so many. */
  nth(hash: number, index: number): number {
    return this.#part(hash).nth(hash, index);
  }

  clear(): void {
    this.#parts = Array.from({ length: 1 << PART_BITS }, () => new Part());
  }

  #part(hash: number): Part {
    return this.#parts[hash >>> (32 - PART_BITS)]!;
  }
}
