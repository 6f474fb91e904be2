import { strict as assert } from "node:assert";
import fc from "fast-check";
import type { HeaderList } from "../seam.ts";
import { HpackDecoder, isFault } from "./decoder.ts";
import { HpackEncoder, maxBlockLength } from "./encoder.ts";
import { MAX_FIELDS } from "./field_collector.ts";

const NAMES = [
  ":method",
  ":authority",
  ":status",
  "baggage",
  "forwarded",
  "traceparent",
  "cookie",
  "date",
  "x-a",
  "x-b",
];
// Malformed whatever their value.
const SPECIFIC = new Set(["te", "connection", "upgrade", "keep-alive", "proxy-connection", "transfer-encoding"]);

const value = fc.oneof(
  fc.constantFrom("", "CONNECT", "200", "503", "10.0.0.1:8080", "k8s.cluster.name=Kubernetes"),
  fc.array(fc.integer({ min: 0x21, max: 0xff }).filter((unit) => unit !== 0x7f), { maxLength: 60 })
    .map((units) => String.fromCharCode(...units)),
  fc.integer({ min: 500, max: 5000 }).map((length) => "v".repeat(length)),
);
const name = fc.oneof(fc.constantFrom(...NAMES), fc.stringMatching(/^[a-z][a-z0-9-]{0,40}$/));
const headers = fc.array(fc.tuple(name.filter((name) => !SPECIFIC.has(name)), value), { maxLength: 12 });
const sizes = fc.array(fc.constantFrom(0, 60, 300, 1000, 4096, 65536), { maxLength: 3 });

const GENEROUS = { maxTableSize: 4096, maxListSize: 1 << 20 };

function encode(encoder: HpackEncoder, headers: HeaderList): Uint8Array {
  const into = new Uint8Array(maxBlockLength(headers));
  const end = encoder.encode(headers, into, 0);
  assert.ok(end >= 0 && end <= into.length);
  return into.subarray(0, end);
}

Deno.test("hpack: any sequence of lists and table sizes is decoded as it was encoded, and both tables stay equal", () => {
  fc.assert(fc.property(fc.array(fc.tuple(sizes, headers), { maxLength: 12 }), (blocks) => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder(GENEROUS);
    for (const [sizes, headers] of blocks) {
      for (const size of sizes) encoder.setMaxTableSize(size);
      const bytes = encode(encoder, headers);
      assert.deepEqual(decoder.decode(bytes, 0, bytes.length), headers);
      assert.deepEqual(encoder.tableState, decoder.tableState);
    }
  }));
});

/** Decodes, and checks the bounds that hold for every input. Returns false where the connection must end. */
function decodeWithinBounds(decoder: HpackDecoder, bytes: Uint8Array, maxListSize: number): boolean {
  const result = decoder.decode(bytes, 0, bytes.length);
  const table = decoder.tableState;
  assert.ok(table.size <= table.maxSize && table.maxSize <= 4096 && table.length <= table.size / 32);
  if (isFault(result)) return result.fault === "malformed" || result.fault === "too-large";
  assert.ok(result.length <= MAX_FIELDS);
  assert.ok(result.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0) <= maxListSize);
  for (const [name, value] of result) assert.doesNotMatch(name + value, /[\0\r\n]/);
  return true;
}

Deno.test("hpack: any bytes yield a list or a fault, within bounds", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), fc.nat(2000), (blocks, maxListSize) => {
      const decoder = new HpackDecoder({ maxTableSize: 4096, maxListSize });
      for (const bytes of blocks) if (!decodeWithinBounds(decoder, bytes, maxListSize)) return;
    }),
    { numRuns: 2000 },
  );
});

Deno.test("hpack: changed and cut blocks yield a list or a fault, within bounds", () => {
  const bend = fc.record({ place: fc.nat(), byte: fc.nat(255), cut: fc.boolean() });
  fc.assert(
    fc.property(fc.array(fc.tuple(headers, bend), { maxLength: 5 }), (blocks) => {
      const encoder = new HpackEncoder();
      const decoder = new HpackDecoder(GENEROUS);
      for (const [headers, { place, byte, cut }] of blocks) {
        const bytes = encode(encoder, headers);
        if (bytes.length > 0) bytes[place % bytes.length] = byte;
        const wire = cut ? bytes.subarray(0, place % (bytes.length + 1)) : bytes;
        if (!decodeWithinBounds(decoder, wire, GENEROUS.maxListSize)) return;
      }
    }),
    { numRuns: 500 },
  );
});
