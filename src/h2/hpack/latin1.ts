/** Converts between JavaScript strings and the bytes of header fields, one byte for each character. */
import { Buffer } from "node:buffer";

// One call into the engine takes 60-80 ns, whatever the length. TextDecoder has no latin-1 (its label means
// windows-1252), and String.fromCharCode costs twice that from 40 characters on.
const toText = Buffer.prototype.toString;

/** `bytes[start, end)` as text. */
export function readLatin1(bytes: Uint8Array, start: number, end: number): string {
  return toText.call(bytes, "latin1", start, end);
}

/**
 * The byte for a UTF-16 unit. A character that latin-1 does not have becomes `?`: its lower byte alone might be a CR.
 */
export function toLatin1(unit: number): number {
  return unit > 0xff ? 0x3f : unit;
}

/** Writes `text` at `into[at...]`. Returns the offset behind it. */
export function writeLatin1(text: string, into: Uint8Array, at: number): number {
  for (let i = 0; i < text.length; i++) into[at++] = toLatin1(text.charCodeAt(i));
  return at;
}
