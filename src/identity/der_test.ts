import { strict as assert } from "node:assert";
import fc from "fast-check";
import * as read from "./der.ts";
import * as write from "./der_write.ts";

const { DerError, DerReader, Tag } = read;

function bytes(hex: string): Uint8Array {
  return Uint8Array.fromHex(hex.replaceAll(" ", ""));
}

const malformed: readonly [what: string, hex: string][] = [
  ["nothing", ""],
  ["no length", "30"],
  ["indefinite length", "30 80 00 00"],
  ["long form below 128", "30 81 01 00"],
  ["leading zero in the length", "30 82 00 80" + "00".repeat(128)],
  ["length of four bytes", "30 84 00 00 00 01 00"],
  ["reserved length", "30 ff 00"],
  ["cut length", "30 82 01"],
  ["overrun", "30 03 02 01"],
  ["overrun by 2^24", "30 83 ff ff ff 00"],
  ["multi-byte tag", "3f 01 00"],
];

for (const [what, hex] of malformed) {
  Deno.test(`DER refused: ${what}`, () => {
    const input = bytes(hex);
    assert.throws(() => new DerReader(input).whole(), DerError);
  });
}

Deno.test("DER: elements are read in order, trailing bytes are refused", () => {
  const reader = new DerReader(bytes("30 06 02 01 05 01 01 ff 00"));
  const inner = reader.enter(Tag.SEQUENCE);
  assert.equal(inner.tag, Tag.INTEGER);
  assert.deepEqual(inner.take(Tag.INTEGER), bytes("05"));
  assert.throws(() => inner.take(Tag.INTEGER), DerError);
  assert.equal(read.takeBoolean(inner), true);
  assert.equal(inner.tag, -1);
  inner.finish();
  assert.throws(() => reader.finish(), DerError);
});

Deno.test("DER: depth is bounded", () => {
  let nested = write.sequence();
  for (let i = 0; i < 30; i++) nested = write.sequence(nested);
  const descend = () => {
    for (let reader = new DerReader(nested); !reader.done;) reader = reader.enter(Tag.SEQUENCE);
  };
  assert.throws(descend, /nested too deep/);
});

const values: readonly [what: string, hex: string, take: (reader: read.DerReader) => unknown, expected: unknown][] = [
  ["BOOLEAN TRUE", "01 01 ff", read.takeBoolean, true],
  ["BOOLEAN FALSE", "01 01 00", read.takeBoolean, false],
  ["BOOLEAN 0x01", "01 01 01", read.takeBoolean, DerError],
  ["BOOLEAN of two bytes", "01 02 ff ff", read.takeBoolean, DerError],
  ["INTEGER 0", "02 01 00", read.takeSmallInteger, 0],
  ["INTEGER 300", "02 02 01 2c", read.takeSmallInteger, 300],
  ["INTEGER negative", "02 01 ff", read.takeSmallInteger, DerError],
  ["INTEGER empty", "02 00", read.takeSmallInteger, DerError],
  ["INTEGER padded", "02 02 00 01", read.takeSmallInteger, DerError],
  ["INTEGER padded negative", "02 02 ff 80", read.takeSmallInteger, DerError],
  ["INTEGER too long", "02 05 01 00 00 00 00", read.takeSmallInteger, DerError],
  ["OID", "06 03 55 1d 11", read.takeOid, "2.5.29.17"],
  ["OID with a large arc", "06 06 2a 86 48 86 f7 0d", read.takeOid, "1.2.840.113549"],
  ["OID with a second arc over 39", "06 03 88 37 03", read.takeOid, "2.999.3"],
  ["OID empty", "06 00", read.takeOid, DerError],
  ["OID cut", "06 02 55 86", read.takeOid, DerError],
  ["OID arc not minimal", "06 03 55 80 01", read.takeOid, DerError],
  ["named bits", "03 02 05 a0", read.takeNamedBits, 0b101],
  ["named bits of two bytes", "03 03 07 00 80", read.takeNamedBits, 1 << 8],
  ["named bits, none", "03 01 00", read.takeNamedBits, 0],
  ["named bits, unused set", "03 02 05 a1", read.takeNamedBits, DerError],
  ["named bits, unused above 7", "03 02 08 a0", read.takeNamedBits, DerError],
  ["named bits, unused without bits", "03 01 01", read.takeNamedBits, DerError],
  ["UTCTime", "17 0d 32 36 30 31 30 31 30 30 30 30 30 30 5a", read.takeTime, Date.UTC(2026, 0, 1)],
  ["UTCTime 50 is 1950", "17 0d 35 30 30 31 30 31 30 30 30 30 30 30 5a", read.takeTime, Date.UTC(1950, 0, 1)],
  ["UTCTime without seconds", "17 0b 32 36 30 31 30 31 30 30 30 30 5a", read.takeTime, DerError],
  [
    "GeneralizedTime",
    "18 0f 39 39 39 39 31 32 33 31 32 33 35 39 35 39 5a",
    read.takeTime,
    Date.UTC(9999, 11, 31, 23, 59, 59),
  ],
  ["30 February", "17 0d 32 36 30 32 33 30 30 30 30 30 30 30 5a", read.takeTime, DerError],
  ["hour 24", "17 0d 32 36 30 32 30 31 32 34 30 30 30 30 5a", read.takeTime, DerError],
  ["month 13", "17 0d 32 36 31 33 30 31 30 30 30 30 30 30 5a", read.takeTime, DerError],
  ["no time", "05 00", read.takeTime, DerError],
];

for (const [what, hex, take, expected] of values) {
  Deno.test(`DER value: ${what}`, () => {
    const reader = new DerReader(bytes(hex));
    if (expected === DerError) assert.throws(() => take(reader), DerError);
    else assert.equal(take(reader), expected);
  });
}

Deno.test("property: written values are read back", () => {
  const arc = fc.nat(1 << 28);
  const oid = fc.tuple(fc.nat(2), fc.nat(39), fc.array(arc, { maxLength: 8 })).map(([a, b, c]) =>
    [a, b, ...c].join(".")
  );
  const second = fc.integer({ min: Date.UTC(1950, 0, 1) / 1000, max: Date.UTC(9999, 0, 1) / 1000 });
  fc.assert(
    fc.property(oid, second, fc.nat(0xffff), fc.uint8Array({ maxLength: 70_000 }), (id, seconds, bits, blob) => {
      const all = write.sequence(
        write.oid(id),
        write.time(seconds * 1000),
        write.namedBits(bits),
        write.octetString(blob),
        write.unsignedInteger(blob.subarray(0, 19)),
      );
      const reader = new DerReader(all).enter(Tag.SEQUENCE);
      assert.equal(read.takeOid(reader), id);
      assert.equal(read.takeTime(reader), seconds * 1000);
      assert.equal(read.takeNamedBits(reader), bits);
      assert.deepEqual(reader.take(Tag.OCTET_STRING), blob);
      const magnitude = (digits: Uint8Array) => digits.reduce((sum, byte) => sum << 8n | BigInt(byte), 0n);
      assert.equal(magnitude(read.takeInteger(reader, 20)), magnitude(blob.subarray(0, 19)));
      reader.finish();
    }),
  );
});

Deno.test("property: reading any bytes ends with elements or a DerError", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (input) => {
    try {
      for (const reader = new DerReader(input); !reader.done;) reader.whole();
    } catch (error) {
      assert.ok(error instanceof DerError);
    }
  }));
});
