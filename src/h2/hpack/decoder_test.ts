import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import type { HeaderList } from "../seam.ts";
import { HpackDecoder, type HpackFault, isFault } from "./decoder.ts";
import { FLOOD_FIELDS, MAX_FIELDS } from "./field_collector.ts";
import { encodeHuffman, huffmanLength } from "./huffman.ts";

const LIMITS = { maxTableSize: 4096, maxListSize: 1000 };
const INDEXING = 0x40;
const PLAIN = 0x00;
const NEVER = 0x10;

function text(value: string): number[] {
  if (value.length > 126) throw new RangeError("Cannot write a string of more than 126 octets in this test");
  return [value.length, ...Buffer.from(value, "latin1")];
}

function literal(kind: number, name: string, value: string): number[] {
  return [kind, ...text(name), ...text(value)];
}

function decode(decoder: HpackDecoder, ...bytes: number[]): HeaderList | HpackFault {
  return decoder.decode(Uint8Array.from(bytes), 0, bytes.length);
}

function faultOf(result: HeaderList | HpackFault): string {
  return isFault(result) ? result.fault : "none";
}

Deno.test("decoder: an empty block is an empty list", () => {
  assert.deepEqual(decode(new HpackDecoder(LIMITS)), []);
});

Deno.test("decoder: reads only the bytes from start to end", () => {
  const bytes = Uint8Array.of(0xff, 0x88, 0x82, 0xff);
  assert.deepEqual(new HpackDecoder(LIMITS).decode(bytes, 1, 3), [[":status", "200"], [":method", "GET"]]);
});

Deno.test("decoder: values are latin-1", () => {
  const value = Array.from({ length: 96 }, (_, i) => String.fromCharCode(0xa0 + i)).join("");
  assert.deepEqual(decode(new HpackDecoder(LIMITS), ...literal(PLAIN, "a", value)), [["a", value]]);
});

Deno.test("decoder: Huffman strings longer than the shared buffer", () => {
  const value = "0123456789".repeat(1000);
  const block = new Uint8Array(10000);
  block.set([0x00, 1, 0x61]);
  const length = huffmanLength(value);
  block.set([0xff, (length - 127) & 0x7f | 0x80, (length - 127) >> 7], 3);
  const end = encodeHuffman(value, block, 6);
  const decoder = new HpackDecoder({ maxTableSize: 4096, maxListSize: 65536 });
  assert.deepEqual(decoder.decode(block, 0, end), [["a", value]]);
});

Deno.test("RFC 7541 4.4: a field that refers to the entry it evicts keeps its name", () => {
  const decoder = new HpackDecoder({ maxTableSize: 70, maxListSize: 1000 });
  decode(decoder, ...literal(INDEXING, "name", "v".repeat(34)));
  assert.deepEqual(decode(decoder, INDEXING | 62, ...text("w"), 0xbe), [["name", "w"], ["name", "w"]]);
});

Deno.test("RFC 7541 4.4: an oversized field is in the list and empties the table", () => {
  const decoder = new HpackDecoder({ maxTableSize: 70, maxListSize: 1000 });
  decode(decoder, ...literal(INDEXING, "a", "b"));
  const value = "v".repeat(100);
  assert.deepEqual(decode(decoder, ...literal(INDEXING, "a", value)), [["a", value]]);
  assert.deepEqual(decoder.tableState, { length: 0, size: 0, maxSize: 70 });
  assert.equal(faultOf(decode(decoder, 0xbe)), "compression");
});

Deno.test("RFC 7541 4.2: two size updates at the start of a block", () => {
  const decoder = new HpackDecoder(LIMITS);
  decode(decoder, ...literal(INDEXING, "a", "b"));
  assert.deepEqual(decode(decoder, 0x20, 0x3f, 0xe1, 0x1f, 0x82), [[":method", "GET"]]);
  assert.deepEqual(decoder.tableState, { length: 0, size: 0, maxSize: 4096 });
});

Deno.test("RFC 9113 6.5.2: a table above 4096 octets needs a size update to grow", () => {
  const decoder = new HpackDecoder({ maxTableSize: 8192, maxListSize: 1000 });
  assert.equal(decoder.tableState.maxSize, 4096);
  decode(decoder, 0x3f, 0xe1, 0x3f);
  assert.equal(decoder.tableState.maxSize, 8192);
});

const COMPRESSION_ERRORS: { readonly what: string; readonly bytes: number[] }[] = [
  { what: "index 0", bytes: [0x80] },
  { what: "an index behind the tables", bytes: [0xbe] },
  { what: "a huge index", bytes: [0xff, 0xff, 0xff, 0xff, 0x7f] },
  { what: "an index that overflows", bytes: [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f] },
  { what: "an index cut off", bytes: [0xff, 0x80] },
  { what: "a name index behind the tables", bytes: [INDEXING | 62, ...text("v")] },
  { what: "a name index cut off", bytes: [0x7f] },
  { what: "no name", bytes: [PLAIN] },
  { what: "a name cut off", bytes: [PLAIN, 3, 0x61, 0x61] },
  { what: "no value", bytes: [PLAIN, ...text("a")] },
  { what: "a value cut off", bytes: [PLAIN, ...text("a"), 2, 0x61] },
  { what: "a string length cut off", bytes: [PLAIN, ...text("a"), 0x7f] },
  { what: "a string length that overflows", bytes: [PLAIN, ...text("a"), 0x7f, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01] },
  { what: "bad Huffman padding", bytes: [PLAIN, ...text("a"), 0x81, 0x18] },
  { what: "Huffman EOS", bytes: [PLAIN, ...text("a"), 0x84, 0xff, 0xff, 0xff, 0xff] },
  { what: "bad Huffman in a name", bytes: [PLAIN, 0x81, 0xff, ...text("a")] },
  { what: "a size update above our limit", bytes: [0x3f, 0xe2, 0x1f] },
  { what: "a size update cut off", bytes: [0x3f] },
  { what: "a size update behind a field", bytes: [0x82, 0x20] },
];

for (const { what, bytes } of COMPRESSION_ERRORS) {
  Deno.test(`RFC 9113 4.3: compression error for ${what}`, () => {
    assert.equal(faultOf(decode(new HpackDecoder(LIMITS), ...bytes)), "compression");
  });
  Deno.test(`RFC 9113 4.3: compression error for ${what}, behind a malformed field`, () => {
    assert.equal(faultOf(decode(new HpackDecoder(LIMITS), ...literal(PLAIN, "A", "b"), ...bytes)), "compression");
  });
}

const MALFORMED: { readonly what: string; readonly name: string; readonly value: string }[] = [
  { what: "an empty name", name: "", value: "v" },
  { what: "a colon for a name", name: ":", value: "v" },
  { what: "a colon inside a name", name: "a:b", value: "v" },
  { what: "two colons", name: "::a", value: "v" },
  { what: "an upper-case name", name: "aBc", value: "v" },
  { what: "an upper-case pseudo header", name: ":Method", value: "v" },
  { what: "a space in a name", name: "a b", value: "v" },
  { what: "NUL in a name", name: "a\0", value: "v" },
  { what: "DEL in a name", name: "a\x7f", value: "v" },
  { what: "latin-1 in a name", name: "\xe4", value: "v" },
  { what: "NUL in a value", name: "a", value: "v\0v" },
  { what: "CR in a value", name: "a", value: "v\rv" },
  { what: "LF in a value", name: "a", value: "v\nv" },
  { what: "ESC in a value", name: "a", value: "\x1b[31m" },
  { what: "DEL in a value", name: "a", value: "v\x7f" },
  { what: "a space before a value", name: "a", value: " v" },
  { what: "a space behind a value", name: "a", value: "v " },
  { what: "a tab behind a value", name: "a", value: "v\t" },
  { what: "a value of one space", name: "a", value: " " },
  { what: "connection", name: "connection", value: "close" },
  { what: "proxy-connection", name: "proxy-connection", value: "close" },
  { what: "keep-alive", name: "keep-alive", value: "5" },
  { what: "transfer-encoding", name: "transfer-encoding", value: "chunked" },
  { what: "upgrade", name: "upgrade", value: "h2c" },
  { what: "te other than trailers", name: "te", value: "gzip" },
];

for (const { what, name, value } of MALFORMED) {
  Deno.test(`observed O36: ${what} is malformed, and the table is updated all the same`, () => {
    for (const kind of [PLAIN, NEVER, INDEXING]) {
      const decoder = new HpackDecoder(LIMITS);
      const result = decode(decoder, 0x82, ...literal(kind, name, value), ...literal(INDEXING, "good", "one"));
      assert.equal(faultOf(result), "malformed");
      assert.deepEqual(decode(decoder, 0xbe), [["good", "one"]]);
      if (kind === INDEXING) assert.equal(faultOf(decode(decoder, 0xbf)), "malformed", "at each use");
    }
  });
}

Deno.test("observed O36: a malformed name stays malformed with another value", () => {
  const decoder = new HpackDecoder(LIMITS);
  decode(decoder, ...literal(INDEXING, "Bad", "v"));
  assert.equal(faultOf(decode(decoder, INDEXING | 62, ...text("w"))), "malformed");
  decode(decoder, ...literal(INDEXING, "good", "v "));
  assert.deepEqual(
    decode(decoder, INDEXING | 62, ...text("w")),
    [["good", "w"]],
    "a bad value does not spoil its name",
  );
});

Deno.test("RFC 9113 8.2.2: connection-specific names of the static table", () => {
  assert.equal(faultOf(decode(new HpackDecoder(LIMITS), 0x80 | 57)), "malformed");
  assert.equal(faultOf(decode(new HpackDecoder(LIMITS), INDEXING | 57, ...text("chunked"))), "malformed");
});

Deno.test("RFC 9113 8.2.1: what is allowed", () => {
  const fields = [["te", "trailers"], ["a", ""], ["a_b!", "b\tc d\xff"], [":x", "y"], ["1", "\x80"]] as const;
  const bytes = fields.flatMap(([name, value]) => literal(PLAIN, name, value));
  assert.deepEqual(decode(new HpackDecoder(LIMITS), ...bytes), fields);
});

Deno.test("RFC 9113 6.5.2: the limit counts name, value and 32", () => {
  const limits = { maxTableSize: 4096, maxListSize: 100 };
  const exact = [...literal(PLAIN, "ab", "c".repeat(16)), ...literal(PLAIN, "ab", "c".repeat(16))];
  assert.deepEqual(decode(new HpackDecoder(limits), ...exact), new Array(2).fill(["ab", "c".repeat(16)]));
  const more = [...literal(PLAIN, "ab", "c".repeat(16)), ...literal(PLAIN, "ab", "c".repeat(17))];
  assert.equal(faultOf(decode(new HpackDecoder(limits), ...more)), "too-large");
});

Deno.test("RFC 9113 10.5.1: a list that is too large updates the table all the same", () => {
  const decoder = new HpackDecoder({ maxTableSize: 4096, maxListSize: 100 });
  const result = decode(decoder, ...literal(INDEXING, "a", "b".repeat(100)), ...literal(INDEXING, "c", "d"));
  assert.equal(faultOf(result), "too-large");
  assert.deepEqual(decode(decoder, 0xbe), [["c", "d"]]);
});

Deno.test("decoder: the first fault of a list is reported", () => {
  const limits = { maxTableSize: 4096, maxListSize: 100 };
  const large = literal(PLAIN, "a", "b".repeat(100));
  const bad = literal(PLAIN, "A", "b");
  assert.equal(faultOf(decode(new HpackDecoder(limits), ...large, ...bad)), "too-large");
  assert.equal(faultOf(decode(new HpackDecoder(limits), ...bad, ...large)), "malformed");
});

Deno.test("observed O33: a third size update in one block exceeds the budget", () => {
  assert.equal(faultOf(decode(new HpackDecoder(LIMITS), 0x20, 0x20, 0x20)), "budget");
  assert.equal(faultOf(decode(new HpackDecoder(LIMITS), ...new Array(16000).fill(0x20))), "budget");
});

Deno.test("observed O32: too many header fields fail their request, and a flood of them exceeds the budget", () => {
  const limits = { maxTableSize: 4096, maxListSize: 65536 };
  const crumbs = (count: number) => Array.from({ length: count }, () => [PLAIN, ...text("a"), 0]).flat();
  assert.equal((decode(new HpackDecoder(limits), ...crumbs(MAX_FIELDS)) as HeaderList).length, MAX_FIELDS);
  assert.equal(faultOf(decode(new HpackDecoder(limits), ...crumbs(MAX_FIELDS + 1))), "too-large");
  assert.equal(faultOf(decode(new HpackDecoder(limits), ...crumbs(FLOOD_FIELDS))), "too-large");
  assert.equal(faultOf(decode(new HpackDecoder(limits), ...crumbs(FLOOD_FIELDS + 1))), "budget");
  const bad = literal(PLAIN, "A", "");
  assert.equal(faultOf(decode(new HpackDecoder(limits), ...bad, ...crumbs(MAX_FIELDS))), "malformed");
  assert.equal(faultOf(decode(new HpackDecoder(limits), ...bad, ...crumbs(FLOOD_FIELDS))), "budget");
  const decoder = new HpackDecoder(limits);
  decode(decoder, ...crumbs(MAX_FIELDS + 1));
  assert.equal(decoder.fields, MAX_FIELDS + 1, "the number of fields is counted");
});

Deno.test("observed O32: many references to a large field exceed the budget", () => {
  const decoder = new HpackDecoder(LIMITS);
  decode(decoder, ...literal(INDEXING, "a", "b".repeat(100)));
  assert.equal(faultOf(decode(decoder, ...new Array(8).fill(0xbe))), "too-large");
  assert.equal(faultOf(decode(decoder, ...new Array(31).fill(0xbe))), "budget");
});

Deno.test("observed O32: many insertions of a large field exceed the budget", () => {
  const storm = Array.from({ length: 40 }, (_, i) => literal(INDEXING, "a", `${i}`.padStart(100, "x"))).flat();
  assert.equal(faultOf(decode(new HpackDecoder(LIMITS), ...storm)), "budget");
});

Deno.test("decoder: reasons contain no text of the peer", () => {
  const result = decode(new HpackDecoder(LIMITS), ...literal(PLAIN, "Evil\nName", "value"));
  assert.ok(isFault(result) && !/evil|value$/i.test(result.reason));
});
