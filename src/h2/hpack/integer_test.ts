import { strict as assert } from "node:assert";
import fc from "fast-check";
import { type Cursor, MAX_INTEGER_BYTES, readInteger, writeInteger } from "./integer.ts";

function cursor(...bytes: number[]): Cursor {
  return { bytes: Uint8Array.from(bytes), at: 0, end: bytes.length };
}

Deno.test("RFC 7541 5.1: any integer is read as it was written, with any prefix", () => {
  fc.assert(fc.property(fc.nat(2 ** 28 - 1), fc.integer({ min: 1, max: 8 }), (value, bits) => {
    const mask = 2 ** bits - 1;
    const bytes = new Uint8Array(MAX_INTEGER_BYTES);
    const end = writeInteger(value, mask, 0, bytes, 0);
    const from = { bytes, at: 0, end };
    assert.equal(readInteger(from, mask), value);
    assert.equal(from.at, end);
    assert.ok(end <= MAX_INTEGER_BYTES);
  }));
});

Deno.test("RFC 7541 5.1: the pattern is written above the prefix", () => {
  const bytes = new Uint8Array(3);
  assert.equal(writeInteger(2, 0x7f, 0x80, bytes, 0), 1);
  assert.equal(writeInteger(0x1f + 5, 0x1f, 0x20, bytes, 1), 3);
  assert.deepEqual([...bytes], [0x82, 0x3f, 5]);
});

Deno.test("RFC 7541 5.1: reads only as far as the integer goes", () => {
  const from = cursor(0x1f, 0x80, 0x01, 0x55);
  assert.equal(readInteger(from, 0x1f), 0x1f + 128);
  assert.equal(from.at, 3);
});

Deno.test("RFC 7541 5.1: superfluous zeros are accepted within the limit", () => {
  assert.equal(readInteger(cursor(0x1f, 0x80, 0x80, 0x80, 0x00), 0x1f), 0x1f);
});

for (
  const { what, bytes } of [
    { what: "cut off behind the prefix", bytes: [0xff] },
    { what: "cut off behind a continuation", bytes: [0xff, 0x80, 0x80] },
    { what: "of five continuation bytes", bytes: [0xff, 0x80, 0x80, 0x80, 0x80, 0x00] },
    { what: "beyond 2^32", bytes: [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f] },
    { what: "of endless zeros", bytes: [0xff, ...new Array(1000).fill(0x80)] },
  ]
) {
  Deno.test(`RFC 7541 5.1: refuses an integer ${what}`, () => {
    const from = cursor(...bytes);
    assert.equal(readInteger(from, 0x7f), -1);
    assert.ok(from.at <= MAX_INTEGER_BYTES);
  });
}
