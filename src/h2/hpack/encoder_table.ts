/** The dynamic table of the encoder. */
import { DynamicTable, ENTRY_OVERHEAD, type Sized } from "./dynamic_table.ts";
import { FIRST_DYNAMIC_INDEX } from "./static_table.ts";

interface IndexedField extends Sized {
  readonly name: string;
  readonly value: string;
}

/**
 * A dynamic table that finds the index of a field or of a name. It compares all fields: a connection to one workload has
 * five of them, and maps would take 1.5 KB of each connection.
 */
export class EncoderTable {
  readonly #table: DynamicTable<IndexedField>;

  constructor(maxSize: number) {
    this.#table = new DynamicTable(maxSize);
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
    const table = this.#table;
    for (let age = 0; age < table.length; age++) {
      const field = table.at(age)!;
      if (field.value === value && field.name === name) return FIRST_DYNAMIC_INDEX + age;
    }
    return 0;
  }

  /** HPACK index of the newest field with this name; 0: there is none. */
  indexOfName(name: string): number {
    const table = this.#table;
    for (let age = 0; age < table.length; age++) {
      if (table.at(age)!.name === name) return FIRST_DYNAMIC_INDEX + age;
    }
    return 0;
  }

  /** Adds a field. It must not be in the table, and must not be larger than it. */
  add(name: string, value: string): void {
    const size = name.length + value.length + ENTRY_OVERHEAD;
    if (!this.#table.makeRoom(size)) {
      throw new RangeError(`Cannot index a field of ${size} octets: larger than the table`);
    }
    this.#table.push({ name, value, size });
  }
}
