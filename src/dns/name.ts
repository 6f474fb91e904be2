/**
 * Domain names in messages. A name as text is lower case, without the final dot; whatever is no letter, digit, hyphen,
 * underscore or asterisk is `\DDD`, as in RFC 1035 §5.1, so that it cannot be mistaken for something else.
 */
import { HEADER_LENGTH, MAX_LABEL, MAX_NAME } from "./wire.ts";

const POINTER = 0xc0;
const DOT = 46;
/** Honest writers need one or two. */
const MAX_POINTERS = 32;

/** How many labels and pointers of one message may still be read. All names of the message share one object. */
export interface NameSteps {
  /** Negative: the message needed more than allowed. */
  left: number;
}

/**
 * Offset behind the name at `at`, or -1 where there is none: cut short, longer than 255 bytes, or with a pointer that
 * does not point back (so loops cannot be), is one of too many, or has bits that mean nothing (RFC 1035 §4.1.4). Also -1
 * when `steps` are used up: one name takes up to 160 steps, and a message of 64 KB has room for 10,000 names.
 */
export function endOfName(bytes: Uint8Array, at: number, steps: NameSteps | null = null): number {
  let end = -1;
  let length = 0;
  let before = at;
  let pointers = 0;
  for (;;) {
    const label = bytes[at];
    if (label === undefined || (steps !== null && --steps.left < 0)) return -1;
    if (label === 0) return end < 0 ? at + 1 : end;
    if (label > MAX_LABEL) {
      const target = pointerAt(bytes, at);
      if (target < HEADER_LENGTH || target >= before || ++pointers > MAX_POINTERS) return -1;
      if (end < 0) end = at + 2;
      before = at = target;
      continue;
    }
    length += label + 1;
    // The root's byte follows.
    if (length >= MAX_NAME) return -1;
    at += label + 1;
  }
}

/** -1: it is none, or cut short. */
function pointerAt(bytes: Uint8Array, at: number): number {
  const high = bytes[at]!, low = bytes[at + 1];
  return (high & POINTER) === POINTER && low !== undefined ? ((high & 0x3f) << 8) | low : -1;
}

/** Text of a name for which {@link endOfName} has found an end. */
export function nameText(bytes: Uint8Array, at: number): string {
  let text = "";
  for (let label = bytes[at]!; label !== 0; label = bytes[at]!) {
    if (label > MAX_LABEL) {
      at = pointerAt(bytes, at);
      continue;
    }
    if (text !== "") text += ".";
    for (let i = at + 1; i <= at + label; i++) text += CHARACTERS[bytes[i]!]!;
    at += label + 1;
  }
  return text;
}

/** How each byte of a label is written. */
const CHARACTERS = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  return /[a-zA-Z0-9_*-]/.test(character) ? character.toLowerCase() : `\\${String(byte).padStart(3, "0")}`;
});

/** Letters as RFC 4343 compares them. */
export function lowerCase(byte: number): number {
  return byte >= 65 && byte <= 90 ? byte + 32 : byte;
}

/** Whether two runs of bytes are equal, but for the case of letters. */
export function sameFolded(a: Uint8Array, b: Uint8Array, from: number, to: number): boolean {
  if (a.length < to || b.length < to) return false;
  for (let i = from; i < to; i++) if (a[i] !== b[i] && lowerCase(a[i]!) !== lowerCase(b[i]!)) return false;
  return true;
}

/**
 * Writes a name given as text of ASCII without escapes (a final dot is allowed), uncompressed. Returns the offset
 * behind it, or -1 where the text is no name.
 */
export function putName(text: string, into: Uint8Array, at: number): number {
  const start = at;
  let label = at++;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === DOT) {
      if (!closeLabel(into, label, at)) return -1;
      label = at++;
    } else {
      if (code <= 32 || code > 126 || at - start >= MAX_NAME) return -1;
      into[at++] = code;
    }
  }
  // After a final dot the root's length byte is open already.
  if (text !== "" && !text.endsWith(".")) {
    if (!closeLabel(into, label, at)) return -1;
    label = at++;
  }
  into[label] = 0;
  return at - start > MAX_NAME ? -1 : at;
}

function closeLabel(into: Uint8Array, label: number, at: number): boolean {
  const length = at - label - 1;
  into[label] = length;
  return length > 0 && length <= MAX_LABEL;
}
