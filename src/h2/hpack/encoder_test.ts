import { strict as assert } from "node:assert";
import type { HeaderList } from "../seam.ts";
import { HpackDecoder } from "./decoder.ts";
import { HpackEncoder, maxBlockLength } from "./encoder.ts";

const BAGGAGE = "k8s.cluster.name=Kubernetes,k8s.namespace.name=default,k8s.deployment.name=web,service.name=web";

function connect(n: number, authority = "10.0.0.1:8080"): HeaderList {
  const id = n.toString(16).padStart(16, "0");
  return [
    [":method", "CONNECT"],
    [":authority", authority],
    ["baggage", BAGGAGE],
    ["forwarded", `for="10.1.0.9:${30000 + n}"`],
    ["traceparent", `00-${id}${id}-${id}-00`],
  ];
}

function block(encoder: HpackEncoder, headers: HeaderList): Uint8Array {
  const into = new Uint8Array(maxBlockLength(headers));
  return into.subarray(0, encoder.encode(headers, into, 0));
}

function decoder(): HpackDecoder {
  return new HpackDecoder({ maxTableSize: 4096, maxListSize: 65536 });
}

Deno.test("encoder: a repeated CONNECT needs three indexes and two literals", () => {
  const encoder = new HpackEncoder();
  const peer = decoder();
  for (let n = 0; n < 500; n++) {
    const bytes = block(encoder, connect(n));
    assert.deepEqual(peer.decode(bytes, 0, bytes.length), connect(n));
    // Three indexes, then two literals: index of the name, length and value.
    if (n > 0) assert.equal(bytes.length, 3 + (2 + 1 + 'for="10.1.0.9:30000"'.length) + (2 + 1 + 55));
  }
  assert.equal(encoder.tableState.length, 5);
  assert.deepEqual(encoder.tableState, peer.tableState);
});

Deno.test("encoder: many authorities evict each other, and names come back", () => {
  const encoder = new HpackEncoder();
  const peer = decoder();
  for (let n = 0; n < 500; n++) {
    const headers = connect(n, `service-${n % 200}.default.svc.cluster.local:80`);
    const bytes = block(encoder, headers);
    assert.deepEqual(peer.decode(bytes, 0, bytes.length), headers);
    assert.deepEqual(encoder.tableState, peer.tableState);
  }
});

Deno.test("encoder: status 200 is one octet", () => {
  assert.deepEqual([...block(new HpackEncoder(), [[":status", "200"]])], [0x88]);
});

Deno.test("encoder: other statuses are indexed", () => {
  const encoder = new HpackEncoder();
  block(encoder, [[":status", "503"]]);
  assert.deepEqual([...block(encoder, [[":status", "503"]])], [0xbe]);
});

Deno.test("RFC 7541 7.1.3: secrets are never indexed", () => {
  const encoder = new HpackEncoder();
  for (const name of ["authorization", "proxy-authorization", "cookie", "set-cookie"]) {
    const [first = 0] = block(encoder, [[name, "secret"]]);
    assert.equal(first & 0xf0, 0x10, name);
  }
  assert.equal(encoder.tableState.length, 0);
});

Deno.test("encoder: a field above half of the table is not indexed", () => {
  const encoder = new HpackEncoder();
  block(encoder, [["baggage", "x".repeat(2048 - 32 - 7 + 1)]]);
  assert.equal(encoder.tableState.length, 0);
  block(encoder, [["baggage", "x".repeat(2048 - 32 - 7)]]);
  assert.deepEqual(encoder.tableState, { length: 1, size: 2048, maxSize: 4096 });
});

Deno.test("encoder: Huffman only where it is shorter", () => {
  assert.deepEqual([...block(new HpackEncoder(), [["vary", "~~"]])].slice(1), [2, 0x7e, 0x7e]);
  assert.deepEqual([...block(new HpackEncoder(), [["vary", "aaaa"]])].slice(1), [0x83, 0x18, 0xc6, 0x3f]);
});

Deno.test("encoder: empty values", () => {
  const encoder = new HpackEncoder();
  const peer = decoder();
  const headers: HeaderList = [["baggage", ""], [":authority", ""], ["forwarded", ""], ["x-forwarded-network", ""]];
  for (let n = 0; n < 3; n++) {
    const bytes = block(encoder, headers);
    assert.deepEqual(peer.decode(bytes, 0, bytes.length), headers);
  }
});

Deno.test("encoder: writes at the given offset and nothing behind the block", () => {
  const encoder = new HpackEncoder();
  const into = new Uint8Array(1000).fill(0xee);
  const end = encoder.encode(connect(1), into, 100);
  assert.ok(into.subarray(0, 100).every((byte) => byte === 0xee));
  assert.ok(into.subarray(end).every((byte) => byte === 0xee));
  assert.deepEqual(decoder().decode(into, 100, end), connect(1));
});

Deno.test("encoder: a list that does not fit changes nothing", () => {
  const tried = new HpackEncoder();
  const other = new HpackEncoder();
  for (const encoder of [tried, other]) encoder.setMaxTableSize(1000);
  const room = maxBlockLength(connect(1));
  assert.equal(tried.encode(connect(1), new Uint8Array(room + 6), 7), -1);
  assert.deepEqual(tried.tableState, { length: 0, size: 0, maxSize: 4096 });
  assert.deepEqual(block(tried, connect(1)), block(other, connect(1)));
});

Deno.test("encoder: characters beyond latin-1 are sent as question marks", () => {
  for (const value of ["zo\u010d\u010d\u010d\u010d", "\u010a~"]) {
    const bytes = block(new HpackEncoder(), [["baggage", value]]);
    const clean = value.replaceAll(/[^\0-\xff]/g, "?");
    assert.deepEqual(decoder().decode(bytes, 0, bytes.length), [["baggage", clean]]);
  }
});

/** Size updates at the start of a block, by the sizes set before it. */
const UPDATES: { readonly set: number[]; readonly sends: number[] }[] = [
  { set: [4096], sends: [] },
  { set: [65536], sends: [] },
  { set: [100], sends: [100] },
  { set: [0], sends: [0] },
  { set: [0, 4096], sends: [0, 4096] },
  { set: [2000, 100, 3000, 500], sends: [100, 500] },
  { set: [2000, 8000], sends: [2000, 4096] },
  { set: [3000, 2000], sends: [2000] },
];

for (const { set, sends } of UPDATES) {
  Deno.test(`RFC 7541 4.2: sizes ${set.join(", ")} announce ${sends.join(", ") || "nothing"}`, () => {
    const encoder = new HpackEncoder();
    for (const size of set) encoder.setMaxTableSize(size);
    const peer = decoder();
    const bytes = block(encoder, [[":status", "200"]]);
    assert.deepEqual(readUpdates(bytes), sends);
    assert.deepEqual(peer.decode(bytes, 0, bytes.length), [[":status", "200"]]);
    assert.equal(peer.tableState.maxSize, sends.at(-1) ?? 4096);
    assert.deepEqual([...block(encoder, [[":status", "200"]])], [0x88], "only once");
  });
}

function readUpdates(bytes: Uint8Array): number[] {
  const sizes: number[] = [];
  for (let at = 0; ((bytes[at] ?? 0) & 0xe0) === 0x20;) {
    let size = (bytes[at++] ?? 0) & 0x1f;
    for (let shift = 0, more = size === 0x1f; more; shift += 7) {
      const byte = bytes[at++] ?? 0;
      size += (byte & 0x7f) << shift;
      more = byte >= 0x80;
    }
    sizes.push(size);
  }
  return sizes;
}

Deno.test("RFC 7541 4.2: a table that shrank and grew again is empty", () => {
  const encoder = new HpackEncoder();
  const peer = decoder();
  for (const sizes of [[], [0, 4096], [50], [4096]]) {
    for (const size of sizes) encoder.setMaxTableSize(size);
    const bytes = block(encoder, connect(1));
    assert.deepEqual(peer.decode(bytes, 0, bytes.length), connect(1));
    assert.deepEqual(encoder.tableState, peer.tableState);
  }
});
