/**
 * The Huffman code of RFC 7541 Appendix B.
 *
 * It is canonical: sorted by length and then by symbol, each code is its predecessor plus one, shifted left where the
 * length grows. So the lengths determine the whole code.
 */

export const EOS = 256;
export const MAX_CODE_BITS = 30;

/** Number of bits of each symbol's code; the last one is EOS. */
// deno-fmt-ignore
export const CODE_BITS: Uint8Array = Uint8Array.of(
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
  28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
   6, 10, 10, 12, 13,  6,  8, 11, 10, 10,  8, 11,  8,  6,  6,  6,
   5,  5,  5,  6,  6,  6,  6,  6,  6,  6,  7,  8, 15,  6, 12, 10,
  13,  6,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,
   7,  7,  7,  7,  7,  7,  7,  7,  8,  7,  8, 13, 19, 13, 14,  6,
  15,  5,  6,  5,  6,  5,  6,  6,  6,  5,  7,  7,  6,  6,  6,  5,
   6,  7,  6,  5,  5,  6,  7,  7,  7,  7,  7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
  24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
  21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
  26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
);

/** All symbols by length of their code, then by value. */
export const SYMBOLS_IN_ORDER: Uint16Array = Uint16Array.from(CODE_BITS.keys())
  .sort((a, b) => bitsOf(a) - bitsOf(b) || a - b);

/** The code of each symbol, in its lowest {@link CODE_BITS} bits. */
export const CODES: Uint32Array = assignCodes();

/** Number of bits of one symbol's code. */
export function bitsOf(symbol: number): number {
  return CODE_BITS[symbol] as number;
}

function assignCodes(): Uint32Array {
  const codes = new Uint32Array(CODE_BITS.length);
  let next = 0;
  let length = bitsOf(SYMBOLS_IN_ORDER[0] as number);
  for (const symbol of SYMBOLS_IN_ORDER) {
    next <<= bitsOf(symbol) - length;
    length = bitsOf(symbol);
    codes[symbol] = next++;
  }
  return codes;
}
