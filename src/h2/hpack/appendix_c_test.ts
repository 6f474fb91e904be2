import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import type { HeaderList } from "../seam.ts";
import { HpackDecoder } from "./decoder.ts";
import { HpackEncoder } from "./encoder.ts";
import { type Cursor, readInteger, writeInteger } from "./integer.ts";

const WWW = ":authority: www.example.com";
const NO_CACHE = "cache-control: no-cache";
const PRIVATE = "cache-control: private";
const DATE_21 = "date: Mon, 21 Oct 2013 20:13:21 GMT";
const DATE_22 = "date: Mon, 21 Oct 2013 20:13:22 GMT";
const LOCATION = "location: https://www.example.com";
const COOKIE = "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";

const REQUESTS = [
  { fields: [":method: GET", ":scheme: http", ":path: /", WWW], length: 1, size: 57 },
  { fields: [":method: GET", ":scheme: http", ":path: /", WWW, NO_CACHE], length: 2, size: 110 },
  {
    fields: [":method: GET", ":scheme: https", ":path: /index.html", WWW, "custom-key: custom-value"],
    length: 3,
    size: 164,
  },
];

const RESPONSES = [
  { fields: [":status: 302", PRIVATE, DATE_21, LOCATION], length: 4, size: 222 },
  { fields: [":status: 307", PRIVATE, DATE_21, LOCATION], length: 4, size: 222 },
  { fields: [":status: 200", PRIVATE, DATE_22, LOCATION, "content-encoding: gzip", COOKIE], length: 3, size: 215 },
];

interface Example {
  readonly name: string;
  readonly hex: string;
  readonly fields: readonly string[];
  readonly length: number;
  readonly size: number;
}

/** The examples of one list are of one connection. */
const CONNECTIONS: { readonly tableSize: number; readonly examples: readonly Example[] }[] = [
  single("C.2.1", "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", "custom-key: custom-header", 55),
  single("C.2.2", "040c 2f73 616d 706c 652f 7061 7468", ":path: /sample/path", 0),
  single("C.2.3", "1008 7061 7373 776f 7264 0673 6563 7265 74", "password: secret", 0),
  single("C.2.4", "82", ":method: GET", 0),
  series("C.3", 4096, REQUESTS, [
    "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
    "8286 84be 5808 6e6f 2d63 6163 6865",
    "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
  ]),
  series("C.4", 4096, REQUESTS, [
    "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
    "8286 84be 5886 a8eb 1064 9cbf",
    "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
  ]),
  series("C.5", 256, RESPONSES, [
    "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d" +
    "546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
    "4803 3330 37c1 c0bf",
    "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f" +
    "6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b" +
    "2076 6572 7369 6f6e 3d31",
  ]),
  series("C.6", 256, RESPONSES, [
    "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7" +
    "8f0b 97c8 e9ae 82ae 43d3",
    "4883 640e ffc1 c0bf",
    "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335" +
    "dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
  ]),
];

function single(name: string, hex: string, field: string, size: number) {
  return { tableSize: 4096, examples: [{ name, hex, fields: [field], length: size > 0 ? 1 : 0, size }] };
}

function series(name: string, tableSize: number, lists: readonly Omit<Example, "name" | "hex">[], blocks: string[]) {
  return { tableSize, examples: lists.map((list, i) => ({ ...list, name: `${name}.${i + 1}`, hex: blocks[i] ?? "" })) };
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
}

function toList(fields: readonly string[]): HeaderList {
  return fields.map((field) => {
    const colon = field.indexOf(": ");
    return [field.slice(0, colon), field.slice(colon + 2)] as const;
  });
}

for (const { tableSize, examples } of CONNECTIONS) {
  examples.forEach(({ name, fields, length, size }, last) => {
    Deno.test(`RFC 7541 ${name}: decoding`, () => {
      const decoder = new HpackDecoder({ maxTableSize: tableSize, maxListSize: 65536 });
      const lists = examples.slice(0, last + 1).map(({ hex }) => {
        const block = fromHex(hex);
        return decoder.decode(block, 0, block.length);
      });
      assert.deepEqual(lists[last], toList(fields));
      assert.deepEqual(decoder.tableState, { length, size, maxSize: tableSize });
    });
  });
}

// The encoder indexes the same fields as C.4, so its bytes are the same.
(CONNECTIONS[5]?.examples ?? []).forEach(({ name, hex }, last, examples) => {
  Deno.test(`RFC 7541 ${name}: encoding`, () => {
    const encoder = new HpackEncoder();
    const blocks = examples.slice(0, last + 1).map(({ fields }) => {
      const into = new Uint8Array(1024);
      return into.slice(0, encoder.encode(toList(fields), into, 0));
    });
    assert.deepEqual(blocks[last], fromHex(hex));
  });
});

for (
  const { name, value, mask, hex } of [
    { name: "C.1.1", value: 10, mask: 0x1f, hex: "0a" },
    { name: "C.1.2", value: 1337, mask: 0x1f, hex: "1f9a0a" },
    { name: "C.1.3", value: 42, mask: 0xff, hex: "2a" },
  ]
) {
  Deno.test(`RFC 7541 ${name}: integers`, () => {
    const bytes = fromHex(hex);
    const from: Cursor = { bytes, at: 0, end: bytes.length };
    assert.equal(readInteger(from, mask), value);
    assert.equal(from.at, bytes.length);

    const into = new Uint8Array(8);
    const end = writeInteger(value, mask, 0, into, 0);
    assert.deepEqual(into.slice(0, end), bytes);
  });
}
