/**
 * Huffman strings, RFC 7541 §5.2.
 *
 * Decoding looks at the next ten bits: one lookup gives the symbol for every code of that length or less, which is all
 * of letters, digits and common punctuation. The rest is found by length, as the code is canonical. 2 KiB of table in
 * place of 256 KiB for a bytewise machine, at about the same speed for text.
 */
import { toLatin1 } from "./latin1.ts";
import { bitsOf, CODE_BITS, CODES, EOS, MAX_CODE_BITS, SYMBOLS_IN_ORDER } from "./huffman_code.ts";

const FAST_BITS = 10;

/** By the next ten bits: symbol << 4 | length of its code; 0 where the code is longer. */
const FAST = buildFastTable();

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

function buildFastTable(): Uint16Array {
  const table = new Uint16Array(1 << FAST_BITS);
  for (const symbol of SYMBOLS_IN_ORDER) {
    const spare = FAST_BITS - bitsOf(symbol);
    if (spare < 0) break;
    const start = (CODES[symbol] as number) << spare;
    table.fill(symbol << 4 | bitsOf(symbol), start, start + (1 << spare));
  }
  return table;
}

/** The most bytes that `length` Huffman bytes can stand for: the shortest code has five bits. */
export function maxDecodedLength(length: number): number {
  return Math.floor(length * 8 / 5);
}

/**
 * Decodes `bytes[start, end)` into `into`, which has room for {@link maxDecodedLength}. Gives the number of bytes
 * written, or -1 for what §5.2 forbids: EOS, padding of more than seven bits or with a zero in it.
 */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number, into: Uint8Array): number {
  let written = 0;
  // The lowest `count` bits of `window` are unread; the bits above are stale.
  let window = 0;
  let count = 0;
  let at = start;
  for (;;) {
    while (count <= 24 && at < end) {
      window = window << 8 | (bytes[at++] as number);
      count += 8;
    }
    const ahead = count >= FAST_BITS ? window >>> (count - FAST_BITS) : window << (FAST_BITS - count);
    const entry = FAST[ahead & ((1 << FAST_BITS) - 1)] as number;
    const bits = entry & 15;
    if (bits !== 0 && bits <= count) {
      into[written++] = entry >>> 4;
      count -= bits;
      continue;
    }
    if (count < 8 && at === end) return isPadding(window, count) ? written : -1;
    // Bits of the window that are already used go back: a long code is read from its first bit.
    const next = decodeLong(bytes, at * 8 - count, end * 8);
    if (next < 0) return -1;
    into[written++] = next & 0xff;
    const bit = at * 8 - count + (next >>> 8);
    at = (bit + 7) >>> 3;
    count = at * 8 - bit;
    window = count === 0 ? 0 : bytes[at - 1] as number;
  }
}

function isPadding(window: number, count: number): boolean {
  const ones = (1 << count) - 1;
  return (window & ones) === ones;
}

/** The symbol whose code starts at `bit`, as length << 8 | symbol; -1 for EOS or where the input ends. */
function decodeLong(bytes: Uint8Array, bit: number, endBit: number): number {
  let code = 0;
  for (let bits = 1; bits <= MAX_CODE_BITS && bit < endBit; bits++, bit++) {
    code = code << 1 | ((bytes[bit >>> 3] as number) >>> (7 - (bit & 7)) & 1);
    const offset = code - (FIRST_CODE[bits] as number);
    if (offset < 0 || offset >= (CODE_COUNT[bits] as number)) continue;
    const symbol = SYMBOLS_IN_ORDER[(FIRST_SYMBOL[bits] as number) + offset] as number;
    return symbol === EOS ? -1 : bits << 8 | symbol;
  }
  return -1;
}

/** Bytes that {@link encodeHuffman} would write. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += CODE_BITS[toLatin1(text.charCodeAt(i))] as number;
  return (bits + 7) >>> 3;
}

/** Writes `text` (see {@link toLatin1}) at `into[at]`, padded with ones; gives the new offset. */
export function encodeHuffman(text: string, into: Uint8Array, at: number): number {
  // At most seven bits wait between symbols; so a code of 24 bits fits beside them, longer ones go in two parts.
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
