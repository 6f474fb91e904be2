/**
 * A strict, bounded reader of DER (X.690 §10): lengths are definite and minimal, no element exceeds its parent, and
 * `finish` refuses trailing bytes.
 *
 * Reading throws {@link DerError} and nothing else; each exported parser built on it catches the error and returns a
 * problem as a value. Contents are views of the input and are not copied.
 */

/** Malformed DER. It is caught by `parseCertificate` and the other parsers and never leaves `identity`. */
export class DerError extends Error {
  override readonly name = "DerError";
}

/** Identifier octets of the universal class that occur in certificates. */
export const Tag = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  NULL: 0x05,
  OID: 0x06,
  UTF8_STRING: 0x0c,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const;

/** The identifier octet of the context-specific tag `[number]`. */
export function contextTag(number: number, constructed: boolean): number {
  return (constructed ? 0xa0 : 0x80) | number;
}

/** Certificates have about ten levels. */
const MAX_DEPTH = 24;

/** Reads the elements of one level, in order. */
export class DerReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #depth: number;
  #at: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length, depth = 0) {
    if (depth > MAX_DEPTH) throw new DerError("nested too deep");
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
    this.#depth = depth;
  }

  /** True after the last element. */
  get done(): boolean {
    return this.#at === this.#end;
  }

  /** The tag of the next element; -1 at the end. */
  get tag(): number {
    return this.done ? -1 : this.#bytes[this.#at]!;
  }

  /** Throws unless all elements were read. */
  finish(): void {
    if (!this.done) throw new DerError("trailing bytes");
  }

  /** Returns the contents of the next element, which must have `tag`. */
  take(tag: number): Uint8Array {
    const start = this.#open(tag);
    return this.#bytes.subarray(start, this.#at);
  }

  /** Returns a reader of the contents of the next element, which must have the constructed `tag`. */
  enter(tag: number): DerReader {
    const start = this.#open(tag);
    return new DerReader(this.#bytes, start, this.#at, this.#depth + 1);
  }

  /** Returns the next element with its tag and length. */
  whole(tag = this.tag): Uint8Array {
    const before = this.#at;
    this.#open(tag);
    return this.#bytes.subarray(before, this.#at);
  }

  /** Moves behind the next element; returns the position of its contents. */
  #open(tag: number): number {
    if (this.tag !== tag) throw new DerError(`expected tag 0x${tag.toString(16)}, found ${describeTag(this.tag)}`);
    if ((tag & 0x1f) === 0x1f) throw new DerError("multi-byte tag");
    const start = this.#readLength();
    if (this.#length > this.#end - start) throw new DerError("length runs over the end");
    this.#at = start + this.#length;
    return start;
  }

  #length = 0;

  /** Stores the length in `#length`; returns the position of the contents. */
  #readLength(): number {
    const at = this.#at + 1;
    if (at >= this.#end) throw new DerError("no length");
    const first = this.#bytes[at]!;
    if (first < 0x80) {
      this.#length = first;
      return at + 1;
    }
    const count = first & 0x7f;
    if (count === 0 || count > 3) throw new DerError("indefinite or oversized length");
    if (at + count >= this.#end) throw new DerError("length runs over the end");
    let length = 0;
    for (let i = 1; i <= count; i++) length = length << 8 | this.#bytes[at + i]!;
    if (length < 0x80 || length < 1 << 8 * (count - 1)) throw new DerError("length is not minimal");
    this.#length = length;
    return at + 1 + count;
  }
}

function describeTag(tag: number): string {
  return tag < 0 ? "the end" : `0x${tag.toString(16)}`;
}

/** Reads a BOOLEAN. Only 0x00 and 0xff are accepted (X.690 §11.1): other parsers disagree about other values. */
export function takeBoolean(reader: DerReader): boolean {
  const value = reader.take(Tag.BOOLEAN);
  if (value.length !== 1 || (value[0] !== 0 && value[0] !== 0xff)) {
    throw new DerError("BOOLEAN is neither 0x00 nor 0xff");
  }
  return value[0] === 0xff;
}

/** Returns the content octets of an INTEGER: two's complement, minimal, at most `limit` bytes. */
export function takeInteger(reader: DerReader, limit: number): Uint8Array {
  const value = reader.take(Tag.INTEGER);
  if (value.length === 0 || value.length > limit) throw new DerError("INTEGER is empty or too long");
  const [first, second] = value;
  const padded = second !== undefined && (first === 0 && second < 0x80 || first === 0xff && second >= 0x80);
  if (padded) throw new DerError("INTEGER is not minimal");
  return value;
}

/** Reads an INTEGER from 0 to 2^31 - 1. */
export function takeSmallInteger(reader: DerReader): number {
  const value = takeInteger(reader, 4);
  if (value[0]! >= 0x80) throw new DerError("INTEGER is negative");
  return value.reduce((sum, byte) => sum << 8 | byte, 0);
}

/** Reads an OBJECT IDENTIFIER as dotted text: `2.5.29.17`. */
export function takeOid(reader: DerReader): string {
  const value = reader.take(Tag.OID);
  if (value.length === 0 || value.length > 64 || value[value.length - 1]! >= 0x80) throw new DerError("malformed OID");
  const arcs: number[] = [];
  let arc = 0;
  let arcBegins = true;
  for (const byte of value) {
    if (arcBegins && byte === 0x80) throw new DerError("OID arc is not minimal");
    arc = arc * 128 + (byte & 0x7f);
    if (arc > Number.MAX_SAFE_INTEGER) throw new DerError("OID arc is too large");
    arcBegins = byte < 0x80;
    if (!arcBegins) continue;
    if (arcs.length === 0) {
      const top = Math.min(2, Math.floor(arc / 40));
      arcs.push(top, arc - 40 * top);
    } else arcs.push(arc);
    arc = 0;
  }
  return arcs.join(".");
}

/** Reads a BIT STRING of named bits as a number: bit n of the ASN.1 list is `1 << n`. At most 16 bits. */
export function takeNamedBits(reader: DerReader): number {
  const value = reader.take(Tag.BIT_STRING);
  const unused = value[0];
  if (unused === undefined || unused > 7 || value.length > 3 || (value.length === 1 && unused !== 0)) {
    throw new DerError("malformed BIT STRING");
  }
  let bits = 0;
  for (let i = 0; i < (value.length - 1) * 8; i++) {
    if (value[1 + (i >> 3)]! & 0x80 >> (i & 7)) bits |= 1 << i;
  }
  if (value.length > 1 && value[value.length - 1]! & (1 << unused) - 1) throw new DerError("unused bits are set");
  return bits;
}

/** Returns the text of an IA5String. Throws for a byte above 0x7f (`docs/spec/identity-spire.md` S8). */
export function asciiText(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) {
    if (byte >= 0x80) throw new DerError("name is not ASCII");
    text += String.fromCharCode(byte);
  }
  return text;
}

const TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;

/** Reads UTCTime or GeneralizedTime of RFC 5280 §4.1.2.5 (with seconds and `Z`, no fraction) as ms since the epoch. */
export function takeTime(reader: DerReader): number {
  const short = reader.tag === Tag.UTC_TIME;
  const value = reader.take(short ? Tag.UTC_TIME : Tag.GENERALIZED_TIME);
  if (value.length !== (short ? 13 : 15)) throw new DerError("malformed time");
  const digits = asciiText(value);
  const text = !short ? digits : (digits < "50" ? "20" : "19") + digits;
  const fields = TIME.exec(text);
  if (fields === null) throw new DerError("malformed time");
  const [, year, month, day, hour, minute, second] = fields;
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  // Date.parse accepts 24:00:00 and 30 February; formatting the result detects them.
  if (!Number.isFinite(time) || new Date(time).toISOString().replace(/[-:T]/g, "").slice(0, 14) !== text.slice(0, 14)) {
    throw new DerError("malformed time");
  }
  return time;
}
