/** Malformed resources, and tests that cached values of earlier resources do not affect later ones. */
import { strict as assert } from "node:assert";
import fc from "fast-check";
import { istio } from "../../testkit/gen/resources.js";
import { makeMesh } from "../../testkit/mesh_resources.ts";
import { type Decoded, ResourceDecoder } from "./decode.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE, RESOURCE_TYPES, type ResourceType } from "./resources.ts";

const GENERATED = {
  [ADDRESS_TYPE]: istio.workload.Address,
  [AUTHORIZATION_TYPE]: istio.security.Authorization,
};

function decode(type: ResourceType, ...bytes: (number | readonly number[])[]): Decoded {
  return new ResourceDecoder(1).decode(type, "n", Uint8Array.from(bytes.flat()));
}

/** Decodes a workload of these bytes. */
function workload(...bytes: (number | readonly number[])[]): Decoded {
  const body = bytes.flat();
  return decode(ADDRESS_TYPE, 0x0a, body.length, body);
}

function malformed(decoded: Decoded, reason: RegExp): void {
  assert.ok(!decoded.ok);
  assert.equal(decoded.why, "malformed");
  assert.match(decoded.reason, reason);
}

const NAME_X = [0x0a, 1, 0x78];

Deno.test("decode: unknown fields are skipped, whatever their type", () => {
  const unknown = {
    varint: [0xf8, 0x07, 0xff, 0x01],
    "64 bits": [0xf9, 0x07, 1, 2, 3, 4, 5, 6, 7, 8],
    bytes: [0xfa, 0x07, 2, 0xff, 0xff],
    "32 bits": [0xfd, 0x07, 1, 2, 3, 4],
    "a group with a group": [0xfb, 0x07, 0x0b, 0x08, 1, 0x0c, 0xfc, 0x07],
    "the reserved one": [0x78, 1],
  };
  for (const [what, bytes] of Object.entries(unknown)) {
    const decoded = workload(bytes, NAME_X, bytes);
    assert.equal(decoded.ok && decoded.change.kind === "workload" && decoded.change.workload.name, "x", what);
  }
});

Deno.test("decode: the last value of a repeated singular field counts", () => {
  const decoded = workload(0x0a, 1, 0x79, NAME_X);
  assert.equal(decoded.ok && decoded.change.kind === "workload" && decoded.change.workload.name, "x");
  const both = decode(ADDRESS_TYPE, 0x0a, 0, 0x12, 0);
  assert.equal(both.ok && both.change.kind, "service");
});

Deno.test("decode: malformed messages", () => {
  malformed(decode(ADDRESS_TYPE, 0xff), /^decode: field 0 is cut off$/);
  malformed(decode(ADDRESS_TYPE, 0x0a), /^decode: field 1 is cut off$/);
  malformed(workload(0x0a, 2, 0x78), /field 1 is cut off/);
  malformed(decode(ADDRESS_TYPE, 0x0a, 3, 0x0a, 5, 0x78, 0, 0, 0, 0), /is cut off/);
  malformed(workload(0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f), /is cut off/);
  malformed(workload(0x70, Array(10).fill(0x80), 0), /field 14 has a number of more than ten bytes/);
  malformed(workload(0x00, 0), /a field has the number 0/);
  malformed(workload(0xfe, 0x07), /has wire type 6/);
  malformed(workload(0xfc, 0x07), /has wire type 4/);
  malformed(workload(0xfb, 0x07, 0x0c), /ends another group/);
  malformed(workload(0xfb, 0x07), /is cut off/);
  malformed(workload(0xfb, 0x07, 0xf8, 0x07), /is cut off/);
  malformed(workload(0xfd, 0x07, 1, 2, 3), /is cut off/);
  malformed(decode(AUTHORIZATION_TYPE, Array(200).fill(0x7b)), /has too many groups inside each other/);
  // A tag and a length of more than 32 bits.
  malformed(decode(AUTHORIZATION_TYPE, 0xd2, 0x80, 0x80, 0x80, 0x10, 0), /more than 32 bits/);
  malformed(decode(AUTHORIZATION_TYPE, 0x7a, 0x80, 0x80, 0x80, 0x80, 0x80, 0), /more than 32 bits/);
});

Deno.test("decode: a known field of another wire type is refused", () => {
  malformed(workload(0x08, 1), /field 1 has wire type 0, not 2/);
  malformed(workload(0x72, 0), /field 14 has wire type 2, not 0/);
  // A source address that is a number.
  malformed(decode(AUTHORIZATION_TYPE, 0x2a, 6, 0x0a, 4, 0x12, 2, 0x28, 1), /field 5 has wire type 0, not 2/);
  malformed(decode(ADDRESS_TYPE, 0x08, 1), /field 1 has wire type 0, not 2/);
});

Deno.test("decode: text must be UTF-8", () => {
  const name = (...bytes: number[]) => workload(0x0a, bytes.length, bytes);
  const snowman = name(0xe2, 0x98, 0x83);
  assert.equal(snowman.ok && snowman.change.kind === "workload" && snowman.change.workload.name, "☃");
  const replacement = name(0xef, 0xbf, 0xbd);
  assert.equal(replacement.ok && replacement.change.kind === "workload" && replacement.change.workload.name, "\ufffd");
  malformed(name(0xff), /field 1 is no UTF-8/);
  malformed(name(0xc0, 0x80), /field 1 is no UTF-8/);
  malformed(name(0xed, 0xa0, 0x80), /field 1 is no UTF-8/);
  // A text that is cached.
  malformed(workload(0x12, 2, 0x61, 0x80), /field 2 is no UTF-8/);
});

const MESH = makeMesh({ workloads: 20, services: 4, policies: 4 });
const BODIES: readonly (readonly [ResourceType, Uint8Array])[] = [
  ...MESH.addresses.map(({ body }) => [ADDRESS_TYPE, body] as const),
  ...MESH.policies.map(({ body }) => [AUTHORIZATION_TYPE, body] as const),
];

/** A valid resource with some bytes changed, removed or inserted. */
const damaged = fc.tuple(
  fc.constantFrom(...BODIES),
  fc.array(fc.tuple(fc.nat(400), fc.nat(255), fc.constantFrom("set", "cut", "put")), { maxLength: 4 }),
).map(([[type, body], changes]) => {
  const bytes = [...body];
  for (const [at, value, how] of changes) {
    const index = at % bytes.length;
    if (how === "set") bytes[index] = value;
    else bytes.splice(index, how === "cut" ? 1 : 0, ...(how === "put" ? [value] : []));
  }
  return [type, Uint8Array.from(bytes)] as const;
});

const anything = fc.oneof(
  damaged,
  fc.tuple(fc.constantFrom(...RESOURCE_TYPES), fc.uint8Array({ maxLength: 80 })),
);

/** Errors in extensions are ignored, as the decoder under test skips extensions. */
function decodeGenerated(type: ResourceType, bytes: Uint8Array): void {
  try {
    GENERATED[type].decode(bytes);
  } catch (error) {
    if (!(error instanceof Error && error.stack?.includes("Extension.decode"))) throw error;
  }
}

Deno.test("fuzz: no bytes throw, and decoded resources are valid for the generated code, too", () => {
  const decoder = new ResourceDecoder(64);
  fc.assert(
    fc.property(anything, ([type, bytes]) => {
      if (decoder.decode(type, "n", bytes).ok) decodeGenerated(type, bytes);
    }),
    { numRuns: 5000 },
  );
});

Deno.test("fuzz: earlier resources do not change the result", () => {
  fc.assert(
    fc.property(fc.array(anything, { maxLength: 20 }), (resources) => {
      const [small, large] = [new ResourceDecoder(1), new ResourceDecoder(4096)];
      for (const [type, bytes] of resources) {
        const alone = new ResourceDecoder(1).decode(type, "n", bytes);
        assert.deepEqual(small.decode(type, "n", bytes), alone);
        assert.deepEqual(large.decode(type, "n", bytes), alone);
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("decode: a list of 50,000 addresses", () => {
  const address = Uint8Array.of(10, 0, 0, 1);
  const body = istio.workload.Address.encode({ workload: { addresses: Array(50_000).fill(address) } }).finish();
  const decoded = new ResourceDecoder(1).decode(ADDRESS_TYPE, "n", body);
  assert.equal(decoded.ok && decoded.change.kind === "workload" && decoded.change.workload.workloadIps.length, 50_000);
});
