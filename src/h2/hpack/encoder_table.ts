import { DynamicTable, ENTRY_OVERHEAD, type Sized } from "./dynamic_table.ts";
import { FIRST_DYNAMIC_INDEX } from "./static_table.ts";

interface Entry extends Sized {
  readonly name: string;
  readonly value: string;
  /** Its place in the order of all entries ever added. */
  readonly number: number;
}

/** The entries of one name: by value, and the newest of all. */
interface NameSlot {
  readonly numbers: Map<string, number>;
  newest: number;
}

/** The encoder's dynamic table: finds the index of a field or a name. It forgets what is evicted. */
export class EncoderTable {
  readonly #slots = new Map<string, NameSlot>();
  readonly #table: DynamicTable<Entry>;

  constructor(maxSize: number) {
    this.#table = new DynamicTable(maxSize, (entry) => this.#forget(entry));
  }

  get maxSize(): number {
    return this.#table.maxSize;
  }

  get length(): number {
    return this.#table.length;
  }

  get size(): number {
    return this.#table.size;
  }

  setMaxSize(maxSize: number): void {
    this.#table.setMaxSize(maxSize);
  }

  /** Index of an entry with this name and value, or 0. */
  indexOf(name: string, value: string): number {
    return this.#indexOfNumber(this.#slots.get(name)?.numbers.get(value));
  }

  /** Index of the newest entry with this name, or 0. */
  indexOfName(name: string): number {
    return this.#indexOfNumber(this.#slots.get(name)?.newest);
  }

  /** Adds a field that is not in the table and fits. */
  add(name: string, value: string): void {
    const size = name.length + value.length + ENTRY_OVERHEAD;
    if (!this.#table.makeRoom(size)) {
      throw new RangeError(`Cannot index a field of ${size} octets: larger than the table`);
    }
    const number = this.#table.added;
    this.#table.push({ name, value, number, size });
    const slot = this.#slots.get(name);
    if (slot === undefined) {
      this.#slots.set(name, { numbers: new Map([[value, number]]), newest: number });
    } else {
      slot.numbers.set(value, number);
      slot.newest = number;
    }
  }

  #indexOfNumber(number: number | undefined): number {
    return number === undefined ? 0 : FIRST_DYNAMIC_INDEX + this.#table.added - 1 - number;
  }

  #forget(entry: Entry): void {
    const slot = this.#slots.get(entry.name);
    if (slot === undefined) return;
    slot.numbers.delete(entry.value);
    if (slot.numbers.size === 0) this.#slots.delete(entry.name);
  }
}
