/** Writes one record after the other into memory of its own, from where it is copied (`record_memory.ts`). */
import { Buffer } from "node:buffer";
import { HEAD, UNIT } from "./record_memory.ts";
import { ASCII, KIND_BITS, TABLE, type TextTable, WIDE } from "./text_table.ts";

/** Bytes at first. Grows with the longest record. */
const INITIAL = 4096;

/** Numbers of a record's head. */
interface RecordHead {
  readonly hash: number;
  readonly flags: number;
  readonly addresses: readonly number[];
  readonly links: readonly number[];
}

/** The writer. `begin` starts a record, `end` completes it. */
export class RecordWriter {
  #bytes = Buffer.alloc(INITIAL);
  #words = new Uint32Array(this.#bytes.buffer, this.#bytes.byteOffset, INITIAL >> 2);
  #at = 0;
  readonly #table: TextTable;

  constructor(table: TextTable) {
    this.#table = table;
  }

  /** Begins a record. */
  begin({ hash, flags, addresses, links }: RecordHead): void {
    this.#at = 0;
    this.#reserve((HEAD.lists + addresses.length + links.length) << 2);
    const words = this.#words;
    words[HEAD.hash] = hash;
    words[HEAD.flags] = flags;
    words[HEAD.addresses] = addresses.length;
    words[HEAD.links] = links.length;
    let word: number = HEAD.lists;
    for (let i = 0; i < addresses.length; i++) words[word++] = addresses[i]!;
    for (let i = 0; i < links.length; i++) words[word++] = links[i]!;
    this.#at = word << 2;
  }

  /** Completes the record. Returns its bytes, which are valid until the next one. */
  end(): Uint8Array {
    const units = Math.ceil(this.#at / UNIT);
    this.#reserve(UNIT);
    this.#words[HEAD.units] = units;
    return this.#bytes.subarray(0, units * UNIT);
  }

  /** Adds a whole number below 2^32. */
  number(value: number): void {
    this.#reserve(5);
    while (value > 127) {
      this.#bytes[this.#at++] = value & 127 | 128;
      value = value >>> 7;
    }
    this.#bytes[this.#at++] = value;
  }

  /** Adds a text that very many records have. */
  commonText(text: string): void {
    const number = text === "" ? -1 : this.#table.number(text);
    if (number < 0) this.text(text);
    else this.number(number << KIND_BITS | TABLE);
  }

  /** Adds a text: one byte for each character where all are ASCII, else two. */
  text(text: string): void {
    const { length } = text;
    let bits = 0;
    for (let i = 0; i < length; i++) bits |= text.charCodeAt(i);
    const isWide = bits > 127;
    this.number(length << KIND_BITS | (isWide ? WIDE : ASCII));
    this.#reserve(length * 2);
    const bytes = this.#bytes;
    if (isWide) this.#at += bytes.write(text, this.#at, "utf16le");
    else for (let i = 0; i < length; i++) bytes[this.#at++] = text.charCodeAt(i);
  }

  /** Adds texts and their number. */
  texts(texts: readonly string[]): void {
    this.number(texts.length);
    for (let i = 0; i < texts.length; i++) this.text(texts[i]!);
  }

  /** As {@link texts}, of texts that very many records have. */
  commonTexts(texts: readonly string[]): void {
    this.number(texts.length);
    for (let i = 0; i < texts.length; i++) this.commonText(texts[i]!);
  }

  /** Adds pairs of ports, with the number of their bytes before them. */
  ports(ports: ReadonlyMap<number, number>): void {
    // The length takes one byte more where the pairs are many, so it is written afterwards.
    const start = this.#at;
    this.number(ports.size * 6);
    const room = this.#at - start;
    for (const [from, to] of ports) {
      this.number(from);
      this.number(to);
    }
    const length = this.#at - start - room;
    this.#bytes.fill(0, start, start + room);
    padded(this.#bytes, start, room, length);
  }

  #reserve(more: number): void {
    if (this.#at + more <= this.#bytes.length) return;
    const bytes = Buffer.alloc(Math.max(this.#bytes.length * 2, this.#at + more + UNIT & ~(UNIT - 1)));
    bytes.set(this.#bytes);
    this.#bytes = bytes;
    this.#words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  }
}

/** Writes `value` in exactly `room` bytes. */
function padded(bytes: Uint8Array, at: number, room: number, value: number): void {
  for (let i = 0; i < room; i++) {
    bytes[at + i] = value & 127 | (i === room - 1 ? 0 : 128);
    value = value >>> 7;
  }
}
