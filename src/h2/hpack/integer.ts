/**
 * Integers with an N-bit prefix (RFC 7541 §5.1). `mask` is the largest value of the prefix, 2^N - 1.
 */

/** Continuation bytes that are accepted: four carry 28 bits, more than any length or index of a header block. */
const MAX_CONTINUATION = 4;

/** Number of bytes that {@link writeInteger} writes at most, for values below 2^28. */
export const MAX_INTEGER_BYTES = 5;

/** Writes `value` (below 2^28) behind the bits of `pattern`. Returns the offset behind it. */
export function writeInteger(value: number, mask: number, pattern: number, into: Uint8Array, at: number): number {
  if (value < mask) {
    into[at] = pattern | value;
    return at + 1;
  }
  into[at++] = pattern | mask;
  for (value -= mask; value >= 0x80; value >>>= 7) into[at++] = 0x80 | (value & 0x7f);
  into[at] = value;
  return at + 1;
}

/** A position in received bytes. Reading advances `at`, never beyond `end`. */
export interface Cursor {
  bytes: Uint8Array;
  at: number;
  end: number;
}

/**
 * Reads the integer at the cursor, which must not be at its end. Returns -1: the integer is incomplete, or has more
 * than four continuation bytes, however small its value is (§5.1 allows a decoder to set such a limit).
 */
export function readInteger(from: Cursor, mask: number): number {
  const prefix = (from.bytes[from.at++] as number) & mask;
  return prefix < mask ? prefix : readContinuation(from, mask);
}

function readContinuation(from: Cursor, mask: number): number {
  let value = mask;
  for (let shift = 0; shift < 7 * MAX_CONTINUATION && from.at < from.end; shift += 7) {
    const byte = from.bytes[from.at++] as number;
    value += (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return -1;
}
