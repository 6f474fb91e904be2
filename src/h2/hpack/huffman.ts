/**
 * Huffman coding of strings (RFC 7541 §5.2).
 *
 * Decoding looks up the next twelve bits in a table of 16 KiB: they contain two whole symbols of most text, and at
 * least one unless its code is longer. Longer codes are found by their length, since the code is canonical. A state
 * machine that takes bytes would have a table of 256 KiB; one that takes four bits needs four times the steps.
 */
import { bitsOf, CODE_BITS, CODES, EOS, MAX_CODE_BITS, SYMBOLS_IN_ORDER } from "./huffman_code.ts";
import { toLatin1 } from "./latin1.ts";

const LOOK_BITS = 12;
const LOOK_MASK = (1 << LOOK_BITS) - 1;

/**
 * By the next twelve bits, 0 where the first code is longer, else
 *
 *      28      24      20      16              8               0
 *     | first | count |  bits |    second     |     first     |
 *     | bits  |       |       |    symbol     |     symbol    |
 *
 * with `count` the number of whole symbols (1 or 2) and `bits` the length of both.
 */
const LOOK_UP = buildLookUp();

/** By length of code: the first code, the number of codes and where their symbols begin in SYMBOLS_IN_ORDER. */
const FIRST_CODE = new Int32Array(MAX_CODE_BITS + 1);
const CODE_COUNT = new Int32Array(MAX_CODE_BITS + 1);
const FIRST_SYMBOL = new Int32Array(MAX_CODE_BITS + 1);
SYMBOLS_IN_ORDER.forEach((symbol, at) => {
  const bits = bitsOf(symbol);
  if ((CODE_COUNT[bits] as number)++ > 0) return;
  FIRST_CODE[bits] = CODES[symbol] as number;
  FIRST_SYMBOL[bits] = at;
});

function buildLookUp(): Uint32Array {
  const single = new Uint32Array(LOOK_MASK + 1);
  for (const symbol of SYMBOLS_IN_ORDER) {
    const bits = bitsOf(symbol);
    if (bits > LOOK_BITS) break;
    const start = (CODES[symbol] as number) << (LOOK_BITS - bits);
    single.fill(bits << 24 | 1 << 20 | bits << 16 | symbol, start, start + (1 << (LOOK_BITS - bits)));
  }
  return single.map((entry, ahead) => {
    const bits = entry >>> 24;
    const second = single[ahead << bits & LOOK_MASK] as number;
    const both = bits + (second >>> 24);
    if (entry === 0 || second === 0 || both > LOOK_BITS) return entry;
    return bits << 24 | 2 << 20 | both << 16 | (second & 0xff) << 8 | entry & 0xff;
  });
}

/** Room that {@link decodeHuffman} needs for `length` bytes: the shortest code has five bits. One byte is reserved. */
export function decodingRoom(length: number): number {
  return Math.floor(length * 8 / 5) + 1;
}

/**
 * Decodes `bytes[start, end)` into `into`, which must have {@link decodingRoom}. Returns the number of bytes written,
 * or -1 for what §5.2 forbids: EOS, padding of more than seven bits, or padding with a zero in it.
 */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number, into: Uint8Array): number {
  let written = 0;
  // The lowest `count` bits of `window` are unread; the bits above are stale. At most 11 + 16 are unread.
  let window = 0;
  let count = 0;
  let at = start;
  while (at < end) {
    window = window << 8 | (bytes[at++] as number);
    count += 8;
    if (at < end) {
      window = window << 8 | (bytes[at++] as number);
      count += 8;
    }
    while (count >= LOOK_BITS) {
      const entry = LOOK_UP[window >>> (count - LOOK_BITS) & LOOK_MASK] as number;
      if (entry !== 0) {
        into[written] = entry & 0xff;
        into[written + 1] = entry >>> 8 & 0xff;
        written += entry >>> 20 & 0xf;
        count -= entry >>> 16 & 0xf;
        continue;
      }
      const long = decodeLong(bytes, at * 8 - count, end * 8);
      if (long < 0) return -1;
      into[written++] = long & 0xff;
      // Continue behind that code, in the byte where it ends.
      const bit = at * 8 - count + (long >>> 8);
      at = (bit + 7) >>> 3;
      count = at * 8 - bit;
      window = bytes[at - 1] as number;
    }
  }
  return decodeTail(window, count, into, written);
}

/** Decodes the last bits, fewer than {@link LOOK_BITS}: short codes, then padding. */
function decodeTail(window: number, count: number, into: Uint8Array, written: number): number {
  for (;;) {
    const entry = LOOK_UP[window << (LOOK_BITS - count) & LOOK_MASK] as number;
    const bits = entry >>> 24;
    if (bits === 0 || bits > count) break;
    into[written++] = entry & 0xff;
    count -= bits;
  }
  const ones = (1 << count) - 1;
  return count < 8 && (window & ones) === ones ? written : -1;
}

/**
 * Decodes the code that starts at `bit` and is longer than {@link LOOK_BITS}. Returns length << 8 | symbol, or -1: it
 * is EOS, or the input ends inside it.
 */
function decodeLong(bytes: Uint8Array, bit: number, endBit: number): number {
  const ahead = nextBits(bytes, bit);
  for (let bits = LOOK_BITS + 1; bits <= MAX_CODE_BITS; bits++) {
    const offset = (ahead >>> (MAX_CODE_BITS - bits)) - (FIRST_CODE[bits] as number);
    if (offset < 0 || offset >= (CODE_COUNT[bits] as number)) continue;
    const symbol = SYMBOLS_IN_ORDER[(FIRST_SYMBOL[bits] as number) + offset] as number;
    return symbol === EOS || bits > endBit - bit ? -1 : bits << 8 | symbol;
  }
  return -1;
}

/** The {@link MAX_CODE_BITS} bits from `bit` on; those behind the end of the string are arbitrary. */
function nextBits(bytes: Uint8Array, bit: number): number {
  const at = bit >>> 3;
  const used = bit & 7;
  const word = byteAt(bytes, at) << 24 | byteAt(bytes, at + 1) << 16 | byteAt(bytes, at + 2) << 8 |
    byteAt(bytes, at + 3);
  return (word << used | byteAt(bytes, at + 4) >>> (8 - used)) >>> (32 - MAX_CODE_BITS);
}

function byteAt(bytes: Uint8Array, at: number): number {
  return at < bytes.length ? bytes[at] as number : 0;
}

/** Number of bytes that {@link encodeHuffman} writes for `text`. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += CODE_BITS[toLatin1(text.charCodeAt(i))] as number;
  return (bits + 7) >>> 3;
}

/** Writes `text` (see {@link toLatin1}) at `into[at...]`, padded with ones. Returns the offset behind it. */
export function encodeHuffman(text: string, into: Uint8Array, at: number): number {
  // At most seven bits are left between symbols, so a code of 24 bits fits beside them; longer ones are added in two
  // parts.
  let window = 0;
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    const symbol = toLatin1(text.charCodeAt(i));
    let code = CODES[symbol] as number;
    let bits = CODE_BITS[symbol] as number;
    if (bits > 24) {
      bits -= 16;
      window = window << bits | code >>> 16;
      count += bits;
      for (; count >= 8; count -= 8) into[at++] = window >>> (count - 8);
      code &= 0xffff;
      bits = 16;
    }
    window = window << bits | code;
    count += bits;
    for (; count >= 8; count -= 8) into[at++] = window >>> (count - 8);
  }
  if (count > 0) into[at++] = window << (8 - count) | 0xff >>> count;
  return at;
}
