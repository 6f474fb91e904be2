/** Encodes header lists as header blocks (RFC 7541). */
import type { HeaderList } from "../seam.ts";
import { DEFAULT_TABLE_SIZE, ENTRY_OVERHEAD } from "./dynamic_table.ts";
import { EncoderTable } from "./encoder_table.ts";
import { encodeHuffman, huffmanLength } from "./huffman.ts";
import { MAX_INTEGER_BYTES, writeInteger } from "./integer.ts";
import { writeLatin1 } from "./latin1.ts";
import { STATIC_NAMES } from "./static_table.ts";

/**
 * What the dynamic table stores of a field.
 *
 * - `field`: name and value. The default: `baggage` is the same on all requests of a connection, and usually so is
 *   `:authority`, since a connection leads to one workload and its streams to a few ports. With a waypoint of many
 *   services the authorities evict each other; adding one costs no more than a literal.
 * - `name`: the value is different each time. The first field is added nevertheless, for its name: later ones then need
 *   one or two bytes for the name. Their values are sent without Huffman coding, which would save about twenty bytes a
 *   request and cost as much as the rest of encoding and decoding.
 * - `never`: secrets; a never-indexed literal (RFC 7541 §7.1.3).
 */
type Indexing = "field" | "name" | "never";

/** By header name. */
const INDEXING: ReadonlyMap<string, Indexing> = new Map([
  ["traceparent", "name"],
  ["forwarded", "name"],
  ["date", "name"],
  ["authorization", "never"],
  ["proxy-authorization", "never"],
  ["cookie", "never"],
  ["set-cookie", "never"],
]);

const INDEXED = { pattern: 0x80, mask: 0x7f };
const LITERAL_INDEXED = { pattern: 0x40, mask: 0x3f };
const SIZE_UPDATE = { pattern: 0x20, mask: 0x1f };
const LITERAL_NEVER = { pattern: 0x10, mask: 0x0f };
const LITERAL = { pattern: 0x00, mask: 0x0f };
const HUFFMAN = 0x80;

/** Turns the header lists of one connection into header blocks (RFC 7541). */
export class HpackEncoder {
  readonly #table = new EncoderTable(DEFAULT_TABLE_SIZE);
  /** The smallest and the last size set since the last block. */
  #smallestSize = DEFAULT_TABLE_SIZE;
  #finalSize = DEFAULT_TABLE_SIZE;

  /**
   * Sets the peer's SETTINGS_HEADER_TABLE_SIZE, in octets. We never use more than 4096. The next block begins with the
   * size update (§4.2).
   */
  setMaxTableSize(size: number): void {
    this.#finalSize = Math.min(size, DEFAULT_TABLE_SIZE);
    this.#smallestSize = Math.min(this.#smallestSize, this.#finalSize);
  }

  /** Number of fields in the dynamic table and their size in octets (RFC 7541 §4.1), for tests. */
  get tableState(): { readonly length: number; readonly size: number; readonly maxSize: number } {
    return { length: this.#table.length, size: this.#table.size, maxSize: this.#table.maxSize };
  }

  /**
   * Writes a header block at `into[at...]`. Returns the offset behind it, or -1: `into` has less room than
   * {@link maxBlockLength}, and nothing has changed. Characters that latin-1 does not have are sent as `?`.
   */
  encode(headers: HeaderList, into: Uint8Array, at: number): number {
    if (maxBlockLength(headers) > into.length - at) return -1;
    at = this.#sizeUpdates(into, at);
    for (let i = 0; i < headers.length; i++) at = this.#field(headers[i]![0], headers[i]![1], into, at);
    return at;
  }

  #sizeUpdates(into: Uint8Array, at: number): number {
    if (this.#smallestSize < this.#table.maxSize) at = this.#sizeUpdate(this.#smallestSize, into, at);
    if (this.#finalSize !== this.#table.maxSize) at = this.#sizeUpdate(this.#finalSize, into, at);
    this.#smallestSize = this.#finalSize;
    return at;
  }

  #sizeUpdate(size: number, into: Uint8Array, at: number): number {
    this.#table.setMaxSize(size);
    return writeInteger(size, SIZE_UPDATE.mask, SIZE_UPDATE.pattern, into, at);
  }

  #field(name: string, value: string, into: Uint8Array, at: number): number {
    const inStatic = STATIC_NAMES.get(name);
    const indexing = INDEXING.get(name) ?? "field";
    if (indexing === "field") {
      const index = inStatic?.values.get(value) ?? this.#table.indexOf(name, value);
      if (index !== 0) return writeInteger(index, INDEXED.mask, INDEXED.pattern, into, at);
    }
    const nameIndex = inStatic?.index ?? this.#table.indexOfName(name);
    if (indexing === "never") return writeLiteral(LITERAL_NEVER, nameIndex, name, value, into, at);
    if (indexing === "name" && nameIndex !== 0) {
      return writePlain(value, into, writeInteger(nameIndex, LITERAL.mask, LITERAL.pattern, into, at));
    }
    if (!this.#isWorthIndexing(name, value)) return writeLiteral(LITERAL, nameIndex, name, value, into, at);
    at = writeLiteral(LITERAL_INDEXED, nameIndex, name, value, into, at);
    this.#table.add(name, value);
    return at;
  }

  /** A field that takes more than half of the table would evict fields that repeat more often. */
  #isWorthIndexing(name: string, value: string): boolean {
    return name.length + value.length + ENTRY_OVERHEAD <= this.#table.maxSize / 2;
  }
}

/** Length that a block has at most, in bytes: without Huffman coding and indexed fields, with two size updates. */
export function maxBlockLength(headers: HeaderList): number {
  let length = 2 * MAX_INTEGER_BYTES;
  for (let i = 0; i < headers.length; i++) {
    length += headers[i]![0].length + headers[i]![1].length + 3 * MAX_INTEGER_BYTES;
  }
  return length;
}

function writeLiteral(
  kind: { readonly pattern: number; readonly mask: number },
  nameIndex: number,
  name: string,
  value: string,
  into: Uint8Array,
  at: number,
): number {
  at = writeInteger(nameIndex, kind.mask, kind.pattern, into, at);
  if (nameIndex === 0) at = writeString(name, into, at);
  return writeString(value, into, at);
}

function writeString(text: string, into: Uint8Array, at: number): number {
  const coded = huffmanLength(text);
  if (coded >= text.length) return writePlain(text, into, at);
  return encodeHuffman(text, into, writeInteger(coded, 0x7f, HUFFMAN, into, at));
}

function writePlain(text: string, into: Uint8Array, at: number): number {
  return writeLatin1(text, into, writeInteger(text.length, 0x7f, 0, into, at));
}
