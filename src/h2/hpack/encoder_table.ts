/** The dynamic table of the encoder. */
import { DynamicTable, ENTRY_OVERHEAD, type Sized } from "./dynamic_table.ts";
import { FIRST_DYNAMIC_INDEX } from "./static_table.ts";

interface NumberedField extends Sized {
  readonly name: string;
  readonly value: string;
  /** Number of fields that were added before it. */
  readonly number: number;
}

/** The fields of one name. */
interface NameSlot {
  /** By value. */
  readonly numbers: Map<string, number>;
  newest: number;
}

/** A dynamic table that finds the index of a field or of a name. Evicted fields are no longer found. */
export class EncoderTable {
  readonly #slots = new Map<string, NameSlot>();
  readonly #table: DynamicTable<NumberedField>;

  constructor(maxSize: number) {
    this.#table = new DynamicTable(maxSize, (field) => this.#remove(field));
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

  /** HPACK index of a field with this name and value; 0: there is none. */
  indexOf(name: string, value: string): number {
    return this.#indexOfNumber(this.#slots.get(name)?.numbers.get(value));
  }

  /** HPACK index of the newest field with this name; 0: there is none. */
  indexOfName(name: string): number {
    return this.#indexOfNumber(this.#slots.get(name)?.newest);
  }

  /** Adds a field. It must not be in the table, and must not be larger than it. */
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

  #remove({ name, value }: NumberedField): void {
    const slot = this.#slots.get(name);
    if (slot === undefined) return;
    slot.numbers.delete(value);
    if (slot.numbers.size === 0) this.#slots.delete(name);
  }
}
