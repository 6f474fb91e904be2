/**
 * Domain names in messages. In text a name is in lower case, without the final dot. Every character that is not a
 * letter, digit, hyphen, underscore or asterisk is written as `\DDD` (RFC 1035 §5.1), so that it cannot be mistaken for
 * another name.
 */
import { HEADER_LENGTH, MAX_LABEL, MAX_NAME } from "./wire.ts";

const POINTER = 0xc0;
const DOT = 46;
/** Pointers followed within one name. Regular messages need one or two. */
const MAX_POINTERS = 32;

/** How many more labels and pointers of one message may be read. All names of the message share one object. */
export interface NameSteps {
  /** Negative: the message had more than allowed. */
  left: number;
}

/**
 * Offset after the name at `at`. Returns -1 for an invalid name: incomplete, longer than 255 bytes, with a pointer that
 * does not point backwards (which excludes loops), with too many pointers, or with undefined bits (RFC 1035 §4.1.4).
 * Also -1 when `steps` are used up: one name takes up to 160 steps, and a message of 64 KB has room for 10,000 names.
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
    // The byte of the root follows.
    if (length >= MAX_NAME) return -1;
    at += label + 1;
  }
}

/** The target of the pointer at `at`; -1: there is no complete pointer. */
function pointerAt(bytes: Uint8Array, at: number): number {
  const high = bytes[at]!, low = bytes[at + 1];
  return (high & POINTER) === POINTER && low !== undefined ? ((high & 0x3f) << 8) | low : -1;
}

/** The text of a name that {@link endOfName} has found valid. */
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

/** The text of each byte of a label. */
const CHARACTERS = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  return /[a-zA-Z0-9_*-]/.test(character) ? character.toLowerCase() : `\\${String(byte).padStart(3, "0")}`;
});

/** The byte with an upper case letter in lower case (RFC 4343). */
export function lowerCase(byte: number): number {
  return byte >= 65 && byte <= 90 ? byte + 32 : byte;
}

/** Whether bytes `from` to `to` are equal, ignoring the case of letters. */
export function sameFolded(a: Uint8Array, b: Uint8Array, from: number, to: number): boolean {
  if (a.length < to || b.length < to) return false;
  for (let i = from; i < to; i++) if (a[i] !== b[i] && lowerCase(a[i]!) !== lowerCase(b[i]!)) return false;
  return true;
}

/**
 * Writes a name without compression. `text`: ASCII without escapes; a final dot is allowed. Returns the offset after
 * it, or -1 where the text is no valid name.
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
  // After a final dot the length byte of the root has been begun already.
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
