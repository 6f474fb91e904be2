/**
 * Finds the holders of an address or a name. Each key has a list of holders, which are numbers; nearly every list has one
 * holder. A key is stored as its hash only, so the caller compares the key itself with that of the first holder.
 */
import { columnFor, Numbers } from "./columns.ts";
import { HashTable } from "./hash_table.ts";

/** The end of a list; entries are stored plus one. */
const END = 0;

/** Lists by key. */
export class HolderLists {
  /** The first entries of lists. */
  readonly #first = new HashTable();
  readonly #numbers = new Numbers();
  #holders = new Uint32Array(0);
  #next = new Uint32Array(0);
  #size = 0;

  /** The number of keys. */
  get size(): number {
    return this.#size;
  }

  /** Returns the first entry of a list for a key with this hash, the first such list for 0; -1: there are not so many. */
  nth(hash: number, index: number): number {
    return this.#first.nth(hash, index);
  }

  /** Returns the holder in an entry. */
  holder(entry: number): number {
    return this.#holders[entry]!;
  }

  /** Returns the next entry of the list; -1: there is none. */
  next(entry: number): number {
    return this.#next[entry]! - 1;
  }

  /** Adds a holder. `hasKey`: whether another holder has the same key. `isBefore`: whether it stays before the new one. */
  add(hash: number, holder: number, hasKey: (other: number) => boolean, isBefore: (other: number) => boolean): void {
    const entry = this.#numbers.take();
    this.#holders = columnFor(this.#holders, entry);
    this.#next = columnFor(this.#next, entry);
    this.#holders[entry] = holder;
    const first = this.#find(hash, hasKey);
    if (first < 0 || !isBefore(this.holder(first))) {
      if (first < 0) this.#size++;
      else this.#first.remove(hash, first);
      this.#next[entry] = first + 1;
      this.#first.add(hash, entry);
      return;
    }
    let last = first;
    for (let next = this.next(last); next >= 0 && isBefore(this.holder(next)); next = this.next(next)) last = next;
    this.#next[entry] = this.#next[last]!;
    this.#next[last] = entry + 1;
  }

  #find(hash: number, hasKey: (other: number) => boolean): number {
    for (let i = 0;; i++) {
      const first = this.nth(hash, i);
      if (first < 0 || hasKey(this.holder(first))) return first;
    }
  }

  /** Removes a holder of a key with this hash: to be called once for each key that it has. */
  remove(hash: number, holder: number): void {
    for (let i = 0;; i++) {
      const first = this.nth(hash, i);
      if (first < 0) return;
      let before = -1;
      for (let entry = first; entry >= 0; before = entry, entry = this.next(entry)) {
        if (this.holder(entry) !== holder) continue;
        this.#unlink(hash, before, entry);
        return;
      }
    }
  }

  #unlink(hash: number, before: number, entry: number): void {
    const next = this.#next[entry]!;
    if (before >= 0) this.#next[before] = next;
    else {
      this.#first.remove(hash, entry);
      if (next === END) this.#size--;
      else this.#first.add(hash, next - 1);
    }
    this.#numbers.giveBack(entry);
  }

  clear(): void {
    this.#first.clear();
    this.#numbers.clear();
    this.#holders = new Uint32Array(0);
    this.#next = new Uint32Array(0);
    this.#size = 0;
  }
}
