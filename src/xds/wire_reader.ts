/**
 * Decodes protobuf field by field into the target object, without an intermediate message
 * (https://protobuf.dev/programming-guides/encoding). Tables of fields take the place of a schema.
 *
 * Stricter than the generated code: a known field with a wire type other than that of the schema is refused and not
 * skipped, since a policy without one of its conditions has another meaning.
 */
import { Buffer } from "node:buffer";
import type { ByteCache, Bytes, TextCache } from "../mesh/records/byte_cache.ts";

/** The bytes are not a valid message of the schema. */
export class Malformed extends Error {
  override readonly name = "Malformed";
}

const VARINT = 0, FIXED64 = 1, BYTES = 2, GROUP = 3, GROUP_END = 4, FIXED32 = 5;

/** The depth to which groups may be nested. */
const MAX_DEPTH = 100;

/** Functions by field number, each of which reads the value of one field into `target`. */
export type FieldTable<T, R> = Readonly<Record<number, (target: T, reader: R) => void>>;

/** Reads the fields of the message up to its end; skips fields that are not in the table. Throws {@link Malformed}. */
export function readFields<T, R extends WireReader>(reader: R, table: FieldTable<T, R>, target: T): T {
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    const read = table[field];
    if (read === undefined) reader.skip();
    else read(target, reader);
  }
  return target;
}

/** Reads the message in the current field. Throws {@link Malformed}. */
export function readMessage<T, R extends WireReader>(reader: R, table: FieldTable<T, R>, target: T): T {
  const outer = reader.enter();
  readFields(reader, table, target);
  reader.leave(outer);
  return target;
}

/** A reader of one message at a time. The methods that read a value throw {@link Malformed}. */
export class WireReader {
  /** The whole memory of which the message is a part; created once per response. */
  #bytes = Buffer.alloc(0) as Bytes;
  /** The position of the next read, and the end of the current message. */
  #at = 0;
  #end = 0;
  #field = 0;
  #wireType = 0;

  /** Begins to read `message`. */
  open(message: Uint8Array): void {
    if (this.#bytes.buffer !== message.buffer) this.#bytes = Buffer.from(message.buffer) as Bytes;
    this.#at = message.byteOffset;
    this.#end = message.byteOffset + message.byteLength;
    this.#field = 0;
  }

  /** Reads the tag of the next field and returns its number; 0 at the end of the message. */
  nextField(): number {
    if (this.#at === this.#end) return 0;
    const tag = this.#varint32();
    this.#wireType = tag & 7;
    this.#field = tag >>> 3;
    if (this.#field === 0) throw new Malformed("a field has the number 0");
    return this.#field;
  }

  /** Enters the message in the current field. Returns the argument for {@link leave}. */
  enter(): number {
    const outer = this.#end;
    this.#end = this.#endOfBytes();
    return outer;
  }

  /** Returns to the outer message, behind the field. */
  leave(outer: number): void {
    this.#at = this.#end;
    this.#end = outer;
  }

  /** Skips the value of the current field. */
  skip(): void {
    this.#skip(0);
  }

  /** Reads a uint32. */
  uint32(): number {
    return this.int32() >>> 0;
  }

  /** Reads an int32, or the number of an enum, which may be negative. */
  int32(): number {
    this.#expect(VARINT);
    return this.#varint();
  }

  /** Reads a bool. */
  bool(): boolean {
    return this.int32() !== 0;
  }

  /** Reads one value of a repeated number, or several if they are packed. */
  numbers(use: (value: number) => void): void {
    if (this.#wireType !== BYTES) return use(this.int32());
    const outer = this.enter();
    while (this.#at < this.#end) use(this.#varint());
    this.leave(outer);
  }

  /** Returns a view of the value, valid as long as the message. */
  bytes(): Uint8Array {
    const end = this.#endOfBytes();
    const view = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return view;
  }

  /** Reads a string, which must be UTF-8. */
  text(): string {
    const end = this.#endOfBytes();
    const text = this.#textTo(end);
    this.#at = end;
    return text;
  }

  /** Reads a string by way of a cache. */
  sharedText(cache: TextCache): string {
    const end = this.#endOfBytes();
    const text = cache.get(this.#bytes, this.#at, end) ?? this.#textTo(end);
    this.#at = end;
    return text;
  }

  /** Returns the value of the current field from the cache; calls `read` where it is not cached. */
  shared<T>(cache: ByteCache<T>, read: () => T): T {
    const start = this.#at;
    const end = this.#endOfBytes();
    let value = cache.get(this.#bytes, start, end);
    if (value === undefined) {
      this.#at = start;
      value = read();
      cache.set(this.#bytes, start, end, value);
    }
    this.#at = end;
    return value;
  }

  /** As {@link shared} for all consecutive values of a repeated field; `read` is called for each of them. */
  sharedRun<T>(cache: ByteCache<T>, make: () => T, read: (into: T) => void): T {
    const start = this.#at;
    const end = this.#endOfRun();
    let value = cache.get(this.#bytes, start, end);
    if (value === undefined) {
      value = make();
      for (this.#at = start;; this.nextField()) {
        read(value);
        if (this.#at === end) break;
      }
      cache.set(this.#bytes, start, end, value);
    }
    this.#at = end;
    return value;
  }

  /** Returns the end of the last consecutive value of the current field. The position stays at the first one. */
  #endOfRun(): number {
    const start = this.#at;
    const field = this.#field;
    let end: number;
    do end = this.#at = this.#endOfBytes(); while (this.nextField() === field);
    this.#at = start;
    this.#field = field;
    this.#wireType = BYTES;
    return end;
  }

  /** Moves behind the length of the current value, which must be bytes, and returns its end. */
  #endOfBytes(): number {
    this.#expect(BYTES);
    return this.#endOfLength();
  }

  #endOfLength(): number {
    const length = this.#varint32();
    if (length > this.#end - this.#at) throw this.#malformed("is cut off");
    return this.#at + length;
  }

  /** Returns the text up to `end`; the position stays. */
  #textTo(end: number): string {
    const bytes = this.#bytes, start = this.#at;
    let bits = 0;
    for (let i = start; i < end; i++) bits |= bytes[i]!;
    if (bits < 0x80) return bytes.latin1Slice(start, end);
    const text = bytes.utf8Slice(start, end);
    // Bytes that are not UTF-8 were replaced, so encoding the text again gives other bytes.
    if (Buffer.compare(Buffer.from(text, "utf8"), bytes.subarray(start, end)) === 0) return text;
    throw this.#malformed("is no UTF-8");
  }

  /** Returns the low 32 bits of a number of up to 64 bits. */
  #varint(): number {
    const bytes = this.#bytes, limit = this.#end;
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#at >= limit) throw this.#malformed("is cut off");
      const byte = bytes[this.#at++]!;
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw this.#malformed("has a number of more than ten bytes");
  }

  /** Reads a tag or a length, which must have at most 32 bits. */
  #varint32(): number {
    const start = this.#at;
    const value = this.#varint() >>> 0;
    const length = this.#at - start;
    if (length < 5 || (length === 5 && this.#bytes[start + 4]! < 0x10)) return value;
    throw this.#malformed("has a tag or length of more than 32 bits");
  }

  #expect(wireType: number): void {
    if (this.#wireType !== wireType) throw this.#malformed(`has wire type ${this.#wireType}, not ${wireType}`);
  }

  #skip(depth: number): void {
    switch (this.#wireType) {
      case VARINT:
        this.#varint();
        return;
      case FIXED64:
        return this.#advance(8);
      case BYTES:
        this.#at = this.#endOfLength();
        return;
      case GROUP:
        return this.#skipGroup(depth);
      case FIXED32:
        return this.#advance(4);
      default:
        throw this.#malformed(`has wire type ${this.#wireType}`);
    }
  }

  #skipGroup(depth: number): void {
    const group = this.#field;
    if (depth === MAX_DEPTH) throw this.#malformed("has too many groups inside each other");
    for (;;) {
      if (this.nextField() === 0) throw this.#malformed("is cut off");
      if (this.#wireType !== GROUP_END) this.#skip(depth + 1);
      else if (this.#field === group) return;
      else throw this.#malformed("ends another group");
    }
  }

  #advance(count: number): void {
    if (count > this.#end - this.#at) throw this.#malformed("is cut off");
    this.#at += count;
  }

  #malformed(what: string): Malformed {
    return new Malformed(`field ${this.#field} ${what}`);
  }
}
