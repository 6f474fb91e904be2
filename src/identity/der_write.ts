/** Writes DER. Each function, except `concatBytes`, returns one element with its tag and length. */
import { Tag } from "./der.ts";

/** Returns the concatenation of `parts`. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** An element with this tag and the concatenation of `contents`. */
export function element(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const length = contents.reduce((sum, part) => sum + part.length, 0);
  return concatBytes([Uint8Array.of(tag, ...lengthOctets(length)), ...contents]);
}

function lengthOctets(length: number): number[] {
  if (length < 0x80) return [length];
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return [0x80 | octets.length, ...octets];
}

/** A SEQUENCE of elements. */
export function sequence(...contents: readonly Uint8Array[]): Uint8Array {
  return element(Tag.SEQUENCE, ...contents);
}

/** A SET of elements. */
export function set(...contents: readonly Uint8Array[]): Uint8Array {
  return element(Tag.SET, ...contents);
}

/** A BOOLEAN (X.690 §11.1). */
export function boolean(value: boolean): Uint8Array {
  return element(Tag.BOOLEAN, Uint8Array.of(value ? 0xff : 0));
}

/** A non-negative INTEGER from its magnitude, big-endian, leading zeros allowed. */
export function unsignedInteger(magnitude: Uint8Array): Uint8Array {
  const first = magnitude.findIndex((byte) => byte !== 0);
  const digits = first < 0 ? Uint8Array.of(0) : magnitude.subarray(first);
  return element(Tag.INTEGER, digits[0]! >= 0x80 ? Uint8Array.of(0) : new Uint8Array(), digits);
}

/** An INTEGER from 0 to 255. */
export function smallInteger(value: number): Uint8Array {
  return unsignedInteger(Uint8Array.of(value));
}

/** An OCTET STRING. */
export function octetString(value: Uint8Array): Uint8Array {
  return element(Tag.OCTET_STRING, value);
}

/** A BIT STRING of whole octets. */
export function bitString(octets: Uint8Array): Uint8Array {
  return element(Tag.BIT_STRING, Uint8Array.of(0), octets);
}

/** A BIT STRING of named bits without trailing zeros (X.690 §11.2.2): bit n of the list is `1 << n`, n below 16. */
export function namedBits(bits: number): Uint8Array {
  const count = 32 - Math.clz32(bits);
  const octets = new Uint8Array(Math.ceil(count / 8));
  for (let i = 0; i < count; i++) if (bits & 1 << i) octets[i >> 3]! |= 0x80 >> (i & 7);
  return element(Tag.BIT_STRING, Uint8Array.of(octets.length * 8 - count), octets);
}

/** An OBJECT IDENTIFIER from dotted text. */
export function oid(dotted: string): Uint8Array {
  const [top = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  return element(Tag.OID, Uint8Array.from([top * 40 + second, ...rest].flatMap(base128)));
}

function base128(arc: number): number[] {
  const octets = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) octets.unshift(0x80 | rest % 128);
  return octets;
}

/** An element of `tag` with the bytes of Latin-1 text. */
export function text(tag: number, value: string): Uint8Array {
  return element(tag, Uint8Array.from(value, (char) => char.charCodeAt(0)));
}

/**
 * UTCTime before 2050, GeneralizedTime from then on (RFC 5280 §4.1.2.5), in whole seconds, rounded down. `ms`: since
 * the epoch.
 */
export function time(ms: number): Uint8Array {
  const digits = new Date(ms).toISOString().replace(/[-:T]/g, "").slice(0, 14) + "Z";
  const year = Number(digits.slice(0, 4));
  return year >= 1950 && year < 2050 ? text(Tag.UTC_TIME, digits.slice(2)) : text(Tag.GENERALIZED_TIME, digits);
}
