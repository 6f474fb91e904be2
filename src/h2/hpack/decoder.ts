/** Decodes header blocks into header lists (RFC 7541). */
import type { HeaderList } from "../seam.ts";
import { DEFAULT_TABLE_SIZE, DynamicTable, ENTRY_OVERHEAD, type Sized } from "./dynamic_table.ts";
import { compressionFault, type HpackFault } from "./fault.ts";
import { FieldCollector } from "./field_collector.ts";
import { type Flaw, flawInField, flawInName, flawInValue } from "./field_rules.ts";
import { readInteger } from "./integer.ts";
import { LiteralReader } from "./literal_reader.ts";
import { FIRST_DYNAMIC_INDEX, STATIC_FIELDS } from "./static_table.ts";

export { type HpackFault, isFault } from "./fault.ts";

/** Table size updates that a block may begin with: the smallest size since the last block and the final one (§4.2). */
const MAX_SIZE_UPDATES = 2;

/** A field of the static or dynamic table. It is checked once, when it is added; flaws count at each use. */
interface TableField extends Sized {
  readonly pair: readonly [name: string, value: string];
  readonly nameFlaw: Flaw | null;
  /** Of the field as a whole, its name included. */
  readonly flaw: Flaw | null;
}

const STATIC_TABLE: readonly TableField[] = STATIC_FIELDS.map((pair) => ({
  pair,
  size: sizeOf(pair[0].length, pair[1].length),
  nameFlaw: null,
  flaw: flawInField(pair[0], pair[1]),
}));

const BAD_INTEGER = compressionFault("index or size out of range");
const BAD_INDEX = compressionFault("index beyond the tables");
const LATE_UPDATE = compressionFault("table size update behind a field");
const LARGE_UPDATE = compressionFault("table size update above our limit");
const MANY_UPDATES: HpackFault = { fault: "budget", reason: `more than ${MAX_SIZE_UPDATES} table size updates` };

/**
 * Turns the header blocks of one connection into header lists (RFC 7541).
 *
 * The cost of a block is bounded: 1024 fields, two size updates, four times `maxListSize` of decoded fields.
 */
export class HpackDecoder {
  readonly #reader = new LiteralReader();
  readonly #table: DynamicTable<TableField>;
  readonly #maxTableSize: number;
  readonly #maxListSize: number;
  /** Number of fields of the last block, including refused ones. */
  fields = 0;

  /**
   * `maxTableSize`: our SETTINGS_HEADER_TABLE_SIZE, in octets. One below 4096 must be known to the peer before it
   * sends its first block. `maxListSize`: our SETTINGS_MAX_HEADER_LIST_SIZE (RFC 9113 §6.5.2).
   */
  constructor(options: { maxTableSize: number; maxListSize: number }) {
    this.#maxTableSize = options.maxTableSize;
    this.#maxListSize = options.maxListSize;
    // The peer's table begins with 4096 octets and grows only by an update.
    this.#table = new DynamicTable(Math.min(options.maxTableSize, DEFAULT_TABLE_SIZE));
  }

  /** Number of fields in the dynamic table and their size in octets (RFC 7541 §4.1), for tests. */
  get tableState(): { readonly length: number; readonly size: number; readonly maxSize: number } {
    return { length: this.#table.length, size: this.#table.size, maxSize: this.#table.maxSize };
  }

  /**
   * Decodes the whole header block `block[start, end)`. After a fault that ends the connection, this must not be called
   * again.
   */
  decode(block: Uint8Array, start: number, end: number): HeaderList | HpackFault {
    const into = new FieldCollector(this.#maxListSize);
    this.#reader.reset(block, start, end);
    const fault = this.#sizeUpdates() ?? this.#fields(into);
    this.#reader.release();
    this.fields = into.count;
    return fault ?? into.refusal ?? into.fields;
  }

  #sizeUpdates(): HpackFault | null {
    const reader = this.#reader;
    for (let n = 0; reader.at < reader.end && isSizeUpdate(reader.bytes[reader.at] as number); n++) {
      if (n === MAX_SIZE_UPDATES) return MANY_UPDATES;
      const size = readInteger(reader, 0x1f);
      if (size < 0) return BAD_INTEGER;
      if (size > this.#maxTableSize) return LARGE_UPDATE;
      this.#table.setMaxSize(size);
    }
    return null;
  }

  #fields(into: FieldCollector): HpackFault | null {
    const reader = this.#reader;
    while (reader.at < reader.end) {
      const fault = this.#field(reader.bytes[reader.at] as number, into);
      if (fault !== null) return fault;
    }
    return null;
  }

  /** RFC 7541 §6: the first bits say which kind of representation follows. */
  #field(first: number, into: FieldCollector): HpackFault | null {
    if (first >= 0x80) return this.#indexed(into);
    if (first >= 0x40) return this.#literal(0x3f, true, into);
    if (first >= 0x20) return LATE_UPDATE;
    // "Without indexing" and "never indexed" differ only for programs that forward header lists.
    return this.#literal(0x0f, false, into);
  }

  #indexed(into: FieldCollector): HpackFault | null {
    const index = readInteger(this.#reader, 0x7f);
    if (index < 0) return BAD_INTEGER;
    const entry = this.#lookUp(index);
    if (entry === undefined) return BAD_INDEX;
    const fault = into.account(entry.size, entry.flaw);
    if (into.refusal === null) into.fields.push(entry.pair);
    return fault;
  }

  #literal(mask: number, indexing: boolean, into: FieldCollector): HpackFault | null {
    const reader = this.#reader;
    const index = readInteger(reader, mask);
    if (index < 0) return BAD_INTEGER;
    let name: string;
    let nameFlaw: Flaw | null;
    if (index === 0) {
      const fault = reader.read();
      if (fault !== null) return fault;
      nameFlaw = flawInName(reader.source, reader.start, reader.stop);
      name = reader.text();
    } else {
      const entry = this.#lookUp(index);
      if (entry === undefined) return BAD_INDEX;
      nameFlaw = entry.nameFlaw;
      name = entry.pair[0];
    }
    return reader.read() ?? this.#keep(name, nameFlaw, indexing, into);
  }

  /** Adds a field whose value is the reader's last literal. */
  #keep(name: string, nameFlaw: Flaw | null, indexing: boolean, into: FieldCollector): HpackFault | null {
    const reader = this.#reader;
    const size = sizeOf(name.length, reader.length);
    if (into.refusal !== null && !indexing) return into.account(size, null);

    const value = reader.text();
    const flaw = nameFlaw ?? flawInValue(reader.source, reader.start, reader.stop) ?? flawInField(name, value);
    const pair = [name, value] as const;
    if (indexing && this.#table.makeRoom(size)) this.#table.push({ pair, size, nameFlaw, flaw });
    const fault = into.account(size, flaw);
    if (into.refusal === null) into.fields.push(pair);
    return fault;
  }

  #lookUp(index: number): TableField | undefined {
    return index < FIRST_DYNAMIC_INDEX ? STATIC_TABLE[index - 1] : this.#table.at(index - FIRST_DYNAMIC_INDEX);
  }
}

function isSizeUpdate(first: number): boolean {
  return first >= 0x20 && first < 0x40;
}

function sizeOf(nameLength: number, valueLength: number): number {
  return nameLength + valueLength + ENTRY_OVERHEAD;
}
