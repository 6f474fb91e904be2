import { strict as assert } from "node:assert";
import fc from "fast-check";
import { decodeHuffman, decodingRoom, encodeHuffman, huffmanLength } from "./huffman.ts";
import { bitsOf, CODES, EOS } from "./huffman_code.ts";

function encode(text: string): Uint8Array {
  const into = new Uint8Array(huffmanLength(text));
  assert.equal(encodeHuffman(text, into, 0), into.length);
  return into;
}

/** The decoded text, or null for a string that §5.2 forbids. */
function decode(bytes: Uint8Array): string | null {
  const into = new Uint8Array(decodingRoom(bytes.length));
  const length = decodeHuffman(bytes, 0, bytes.length, into);
  return length < 0 ? null : toText(into.subarray(0, length));
}

function toText(bytes: Iterable<number>): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

/** Decodes bit by bit, for comparison. */
function decodeSlowly(bytes: Uint8Array): string | null {
  const symbols = new Map(Array.from(CODES, (code, symbol) => [`${bitsOf(symbol)}/${code}`, symbol]));
  const text: number[] = [];
  let code = 0;
  let bits = 0;
  for (let i = 0; i < bytes.length * 8; i++) {
    code = code << 1 | (bytes[i >> 3] as number) >> (7 - (i & 7)) & 1;
    const symbol = symbols.get(`${++bits}/${code}`);
    if (symbol === EOS || bits > 30) return null;
    if (symbol === undefined) continue;
    text.push(symbol);
    code = bits = 0;
  }
  return bits < 8 && code === (1 << bits) - 1 ? toText(text) : null;
}

Deno.test("RFC 7541 Appendix B: codes follow from their lengths", () => {
  const samples = [[0, 13, 0x1ff8], [32, 6, 0x14], [48, 5, 0x0], [97, 5, 0x3], [92, 19, 0x7fff0], [123, 15, 0x7ffe]];
  const ends = [[127, 28, 0xffffffc], [249, 28, 0xffffffe], [255, 26, 0x3ffffee], [22, 30, 0x3ffffffe]];
  for (const [symbol = 0, bits, code] of [...samples, ...ends, [EOS, 30, 0x3fffffff]]) {
    assert.deepEqual([bitsOf(symbol), CODES[symbol]], [bits, code], `symbol ${symbol}`);
  }
});

Deno.test("RFC 7541 5.2: every character is decoded as it was encoded, whatever its neighbours", () => {
  for (let unit = 0; unit < 256; unit++) {
    const char = String.fromCharCode(unit);
    for (const text of [char, `a${char}`, `${char}a`, char.repeat(9), `xyz${char}0123456789`]) {
      assert.equal(decode(encode(text)), text);
    }
  }
});

Deno.test("RFC 7541 5.2: any text is decoded as it was encoded", () => {
  const text = fc.oneof(fc.uint8Array({ maxLength: 300 }).map(toText), fc.string({ unit: "grapheme-ascii" }));
  fc.assert(fc.property(text, (text) => assert.equal(decode(encode(text)), text)), { numRuns: 500 });
});

Deno.test("RFC 7541 5.2: any bytes decode as they do bit by bit", () => {
  const ones = fc.array(fc.constantFrom(0xff, 0xfe, 0xfc, 0xf0, 0x00, 0x1f), { maxLength: 12 });
  const bytes = fc.oneof(fc.uint8Array({ maxLength: 40 }), ones.map((list) => Uint8Array.from(list)));
  fc.assert(fc.property(bytes, (bytes) => assert.equal(decode(bytes), decodeSlowly(bytes))), { numRuns: 3000 });
});

Deno.test("RFC 7541 5.2: cut and changed encodings decode as they do bit by bit", () => {
  const bent = fc.tuple(fc.uint8Array({ maxLength: 30 }), fc.nat(), fc.nat(7), fc.boolean());
  fc.assert(fc.property(bent, ([raw, place, bit, cut]) => {
    const bytes = encode(toText(raw));
    if (bytes.length === 0) return;
    const at = place % bytes.length;
    bytes[at] = (bytes[at] as number) ^ 1 << bit;
    const wire = cut ? bytes.subarray(0, at + 1) : bytes;
    assert.equal(decode(wire), decodeSlowly(wire));
  }));
});

for (
  const { what, bytes } of [
    { what: "EOS", bytes: [0xff, 0xff, 0xff, 0xff] },
    { what: "EOS inside", bytes: [0x1f, 0xff, 0xff, 0xff, 0xff, 0x1f] },
    { what: "eight bits of padding", bytes: [0xff] },
    { what: "a whole byte of padding behind a symbol", bytes: [0x1f, 0xff] },
    { what: "zeros as padding", bytes: [0x18] },
    { what: "padding that ends in a zero", bytes: [0x1e] },
    { what: "an unfinished long code", bytes: [0xff, 0xff, 0xff] },
  ]
) {
  Deno.test(`RFC 7541 5.2: refuses ${what}`, () => assert.equal(decode(Uint8Array.from(bytes)), null));
}

Deno.test("huffman: characters beyond latin-1 become a question mark", () => {
  assert.equal(decode(encode("a\u010db\u{1f600}")), "a?b??");
});

Deno.test("huffman: decodes in the middle of a buffer and writes nothing beyond its room", () => {
  const bytes = Uint8Array.of(0xff, ...encode("00000000"), 0xff);
  const into = new Uint8Array(64).fill(0xee);
  assert.equal(decodeHuffman(bytes, 1, bytes.length - 1, into), 8);
  assert.equal(toText(into.subarray(0, 8)), "00000000");
  assert.ok(into.subarray(decodingRoom(bytes.length - 2)).every((byte) => byte === 0xee));
});
