import fc from "fast-check";
import assert from "node:assert/strict";
import { envoy } from "../../proto/gen/xds.js";
import { BLOCK_SIZE, ByteBlocks } from "../grpc/byte_blocks.ts";
import { WireError } from "./block_reader.ts";
import {
  checkResponse,
  type DeltaResponse,
  isRejection,
  namesOf,
  removedFrom,
  resourcesOf,
  takeResources,
} from "./delta_response.ts";
import { NameList } from "./name_list.ts";

const { DeltaDiscoveryResponse } = envoy.service.discovery.v3;

function inBlocks(bytes: Uint8Array): ByteBlocks {
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += BLOCK_SIZE) blocks.push(bytes.slice(at, at + BLOCK_SIZE));
  return new ByteBlocks(blocks);
}

function check(bytes: Uint8Array, blocks = inBlocks(bytes)): DeltaResponse | WireError {
  const steps = checkResponse(blocks);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

function checked(bytes: Uint8Array, blocks = inBlocks(bytes)): DeltaResponse {
  const response = check(bytes, blocks);
  if (response instanceof WireError) throw response;
  return response;
}

/** Returns the content of a response. */
function contentOf(response: DeltaResponse) {
  return {
    typeUrl: response.typeUrl,
    nonce: response.nonce,
    payloadBytes: response.payloadBytes,
    resources: [...resourcesOf(response)].map((one) => isRejection(one) ? one : { ...one, body: [...one.body] }),
    names: [...namesOf(response)],
    removed: [...removedFrom(response)],
  };
}

const resource = fc.record({
  name: fc.string({ unit: "binary" }),
  version: fc.string(),
  aliases: fc.array(fc.string(), { maxLength: 3 }),
  value: fc.option(fc.uint8Array({ maxLength: 400 })),
});

Deno.test("delta response, property: the content equals that of the generated decoder", () => {
  const response = fc.record({
    typeUrl: fc.string(),
    nonce: fc.string(),
    resources: fc.array(resource),
    removed: fc.array(fc.string({ unit: "binary" })),
    // Moves resources across the ends of blocks.
    padding: fc.integer({ min: BLOCK_SIZE - 3000, max: BLOCK_SIZE }),
  });
  fc.assert(fc.property(response, ({ typeUrl, nonce, resources, removed, padding }) => {
    const filler = { name: "filler", resource: { type_url: "t", value: new Uint8Array(padding) } };
    const bytes = DeltaDiscoveryResponse.encode({
      systemVersionInfo: "ignored",
      typeUrl,
      nonce,
      resources: [
        filler,
        ...resources.map(({ name, version, aliases, value }) => ({
          name,
          version,
          aliases,
          resource: value === null ? null : { type_url: "t", value },
          ttl: { seconds: 7 },
        })),
      ],
      removedResources: removed,
    }).finish();
    const library = DeltaDiscoveryResponse.decode(bytes);
    const content = contentOf(checked(bytes));
    assert.equal(content.typeUrl, library.typeUrl);
    assert.equal(content.nonce, library.nonce);
    assert.deepEqual(content.removed, [...library.removedResources]);
    assert.deepEqual(
      content.names,
      library.resources.map(({ name, version, aliases }) => ({ name, version, aliases: [...aliases] })),
    );
    assert.deepEqual(
      content.resources,
      library.resources.map(({ name, version, resource }) =>
        resource === null
          ? { name, reason: "XDS payload without resource" }
          : { name, version, body: [...resource.value] }
      ),
    );
    const sum = library.resources.reduce((total, { resource }) => total + (resource?.value.length ?? 0), 0);
    assert.equal(content.payloadBytes, sum);
    const rejected = library.resources.filter(({ resource }) => resource === null).length;
    assert.equal(checked(bytes).rejected, rejected);
  }));
});

Deno.test("delta response, property: any bytes are refused, or can be iterated without an exception", () => {
  const good = DeltaDiscoveryResponse.encode({
    typeUrl: "t",
    nonce: "n",
    resources: [{ name: "a", version: "1", resource: { type_url: "t", value: Uint8Array.of(1, 2, 3) } }],
    removedResources: ["b"],
  }).finish();
  const mutated = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }).map(
    (edits) => {
      const copy = good.slice();
      for (const [at, byte] of edits) copy[at] = byte;
      return copy;
    },
  );
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), mutated), (bytes) => {
      const response = check(bytes);
      if (!(response instanceof WireError)) contentOf(response);
    }),
    { numRuns: 2000 },
  );
});

/** Encodes a field of bytes. */
function field(number: number, ...content: readonly (Uint8Array | number)[]): Uint8Array {
  const bytes = content.flatMap((part) => typeof part === "number" ? [part] : [...part]);
  return Uint8Array.from([...varint(number << 3 | 2), ...varint(bytes.length), ...bytes]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 128)) bytes.push(value % 128 | 0x80);
  return [...bytes, value];
}

const bad: readonly [what: string, bytes: Uint8Array, problem: RegExp][] = [
  ["cut in the middle of a number", Uint8Array.of(0x80), /middle of a number/],
  ["a field that is longer than its message", Uint8Array.of(0x12, 5, 1), /longer than its message/],
  ["field number 0", Uint8Array.of(2, 0), /invalid tag 2/],
  ["wire type 6", Uint8Array.of(0x16), /invalid wire type 6/],
  ["wire type 7", Uint8Array.of(0x17), /invalid wire type 7/],
  ["the end of a group that did not begin", Uint8Array.of(0x14), /invalid wire type 4/],
  ["a group without an end", Uint8Array.of(0x13, 0x08, 1), /group without an end/],
  ["a group with another's end", Uint8Array.of(0x13, 0x1c), /end of another/],
  ["groups in groups without end", new Uint8Array(200).fill(0x13), /nested too deep/],
  ["a number of eleven bytes", new Uint8Array(12).fill(0xff), /ten bytes/],
  ["a nonce that is not UTF-8", field(5, 0xff), /not UTF-8/],
  ["a resource name that is not UTF-8", field(2, field(3, 0xc0, 0x80)), /not UTF-8/],
  ["a removed name that is not UTF-8", field(6, 0x80), /not UTF-8/],
  ["a resource that ends too early", field(2, 0x1a, 9), /longer than its message/],
  ["a payload that ends too early", field(2, field(2, 0x12, 9)), /longer than its message/],
  ["a name of 70,000 bytes", field(6, new Uint8Array(70_000).fill(65)), /text of 70000 bytes is longer than 65536/],
  [
    "a resource of 5000 fields",
    field(2, new Uint8Array(10_000).fill(0x22).map((_, i) => i % 2 ? 0 : 0x22)),
    /4096 fields/,
  ],
];

for (const [what, bytes, problem] of bad) {
  Deno.test(`delta response refused: ${what}`, () => {
    const response = check(bytes);
    assert.ok(response instanceof WireError, "it was accepted");
    assert.match(response.message, problem);
  });
}

Deno.test("delta response: unknown fields, groups, and fields of unexpected types are skipped", () => {
  const strange = [
    Uint8Array.of(0x7b, 0x08, 1, 0x7c), // group 15
    Uint8Array.of(0x10, 7), // field 2 as a number
    Uint8Array.of(0x79, 1, 2, 3, 4, 5, 6, 7, 8, 0x7d, 1, 2, 3, 4), // fixed 64, fixed 32
    field(1000, 1, 2, 3),
  ];
  const bytes = Uint8Array.from([...strange, field(4, 0x74), field(2, field(3, 0x61), field(2)), ...strange].flatMap(
    (part) => [...part],
  ));
  const content = contentOf(checked(bytes));
  assert.equal(content.typeUrl, "t");
  assert.deepEqual(content.resources, [{ name: "a", version: "", body: [] }]);
});

Deno.test("delta response: interleaved resources and removed names are accepted up to a limit", () => {
  const pair = [...field(2, field(3, 0x61)), ...field(6, 0x62), ...Uint8Array.of(0x08, 1)];
  const some = checked(Uint8Array.from(Array.from({ length: 9_000 }, () => pair).flat()));
  assert.deepEqual([[...namesOf(some)].length, [...removedFrom(some)].length], [9_000, 9_000]);
  const many = check(Uint8Array.from(Array.from({ length: 10_001 }, () => pair).flat()));
  assert.ok(many instanceof WireError);
});

Deno.test("delta response: a payload of more than 4 MB is rejected by name, the others are kept", () => {
  const large = new Uint8Array(4 * 1024 * 1024 + 1);
  const bytes = DeltaDiscoveryResponse.encode({
    resources: [
      { name: "large", resource: { value: large } },
      { name: "small", resource: { value: Uint8Array.of(1) } },
    ],
  }).finish();
  assert.equal(checked(bytes).rejected, 1);
  assert.deepEqual(contentOf(checked(bytes)).resources, [
    { name: "large", reason: "decode: payload of 4194305 bytes is longer than the limit of 4194304 bytes" },
    { name: "small", version: "", body: [1] },
  ]);
});

Deno.test("delta response: resources can be iterated again, and partially", () => {
  const bytes = DeltaDiscoveryResponse.encode({
    resources: [{ name: "a", resource: {} }, { name: "b", resource: {} }],
  }).finish();
  const response = checked(bytes);
  for (const { name } of resourcesOf(response)) {
    assert.equal(name, "a");
    break;
  }
  assert.deepEqual([...resourcesOf(response)].map(({ name }) => name), ["a", "b"]);
});

/** Makes three resources, of a block each but for the second, a rejection, with removed names before or after them. */
function large(removedFirst: boolean): { response: DeltaResponse; blocks: () => number[] } {
  const payload = new Uint8Array(BLOCK_SIZE).fill(5);
  const resources = ["a", "b", "c"].map((name) => ({
    name,
    version: name + "1",
    aliases: name === "c" ? ["d"] : [],
    resource: name === "b" ? null : { value: payload },
  }));
  const changed = DeltaDiscoveryResponse.encode({ resources }).finish();
  const removed = DeltaDiscoveryResponse.encode({ removedResources: ["e", "f"] }).finish();
  const parts = removedFirst ? [removed, changed] : [changed, removed];
  const bytes = Uint8Array.from(parts.flatMap((part) => [...part]));
  const pieces = inBlocks(bytes);
  const views = [0, 1, 2].map((i) => pieces.slice(i * BLOCK_SIZE, Math.min(bytes.length, (i + 1) * BLOCK_SIZE)));
  const response = checked(bytes, pieces);
  return { response, blocks: () => views.map(({ length }) => length) };
}

Deno.test("delta response: takeResources yields each payload and collects all names", () => {
  for (const removedFirst of [false, true]) {
    const { response } = large(removedFirst);
    const names = new NameList();
    const seen: [string, number][] = [];
    for (const { name, body } of takeResources(response, names)) seen.push([name, body[body.length - 1]!]);
    assert.deepEqual(seen, [["a", 5], ["c", 5]]);
    assert.deepEqual([...names], [
      { name: "a", version: "a1", aliases: [] },
      { name: "b", version: "b1", aliases: [] },
      { name: "c", version: "c1", aliases: ["d"] },
    ]);
    assert.deepEqual([...names].length, 3, "can be iterated again");
    assert.deepEqual([...removedFrom(response)], ["e", "f"], "are still readable");
  }
});

Deno.test("delta response: takeResources frees the memory of read resources, unless it contains removed names", () => {
  for (const [removedFirst, left] of [[false, [0, 0]], [true, [BLOCK_SIZE, BLOCK_SIZE]]] as const) {
    const { response, blocks } = large(removedFirst);
    for (const _ of takeResources(response, new NameList())) { /* to the end */ }
    assert.deepEqual(blocks().slice(0, 2), left);
    assert.ok(blocks()[2]! > 0);
  }
});
