/** What decoding makes of input that no well-meaning peer would send. */
import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import * as broker from "./gen/broker.js";
import * as ca from "./gen/ca.js";
import * as cri from "./gen/cri.js";
import * as resources from "../testkit/gen/resources.js";
import * as spire from "./gen/spire.js";
import * as workloadApi from "./gen/workload_api.js";
import * as xds from "./gen/xds.js";
import * as zds from "./gen/zds.js";

const MODULES = { broker, ca, cri, resources, spire, workloadApi, xds, zds };
const { Address, Workload } = resources.istio.workload;
const { Struct } = xds.google.protobuf;

interface AnyCodec {
  encode(message: object): { finish(): Uint8Array };
  decode(bytes: Uint8Array): object;
}

function isCodec(value: object): value is AnyCodec {
  return "decode" in value && typeof value.decode === "function";
}

/** All codecs of a module with their names. */
function* codecsOf(holder: object, name: string): Generator<[string, AnyCodec]> {
  if (isCodec(holder)) yield [name, holder];
  for (const [key, value] of Object.entries(holder)) {
    if ((typeof value === "object" || typeof value === "function") && /^[A-Za-z]\w*$/.test(key) && key !== "default") {
      if (value !== null && key !== "encode" && key !== "decode") yield* codecsOf(value, `${name}.${key}`);
    }
  }
}

const CODECS = new Map(codecsOf(MODULES, "proto"));

function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
}

/** A field of wire type 2. */
function wrapped(field: number, content: Uint8Array): Uint8Array {
  assert(field < 16);
  const length: number[] = [];
  for (let rest = content.length;; rest >>>= 7) {
    if (rest < 128) {
      length.push(rest);
      break;
    }
    length.push(rest & 127 | 128);
  }
  return Uint8Array.of(field << 3 | 2, ...length, ...content);
}

Deno.test("the messages of all modules are looked at", () => {
  for (const name of Object.keys(MODULES)) {
    assert([...CODECS.keys()].some((codec) => codec.startsWith(`proto.${name}.`)), name);
  }
  assert(CODECS.size > 90, `${CODECS.size}`);
});

Deno.test("unknown fields of each wire type are skipped", () => {
  const unknown = hex("f8 3f 01" + "f9 3f 0102030405060708" + "fa 3f 02 ffff" + "fd 3f 01020304");
  for (const [name, codec] of CODECS) {
    const decoded = codec.decode(unknown);
    assert.deepEqual({ ...decoded }, { ...codec.decode(new Uint8Array()) }, name);
    assert.equal(codec.encode(decoded).finish().length, 0, name);
  }
});

Deno.test("unknown groups are skipped, nested ones too", () => {
  assert.equal(Workload.decode(hex("fb 3f 08 01 0b 0c fc 3f" + "a2 01 01 78")).uid, "x");
});

Deno.test("a field of an unexpected wire type is skipped like an unknown one", () => {
  const workload = Workload.decode(hex("08 05" + "1a 04 0a000001" + "a2 01 01 78"));
  assert.equal(workload.name, "");
  assert.equal(workload.addresses.length, 1);
  assert.equal(workload.uid, "x");
});

for (
  const [what, bytes] of [
    ["a length beyond the end", hex("0a 05 61")],
    ["a length of 4 GiB", hex("0a ff ff ff ff 0f 61")],
    ["a length of more than 32 bits", hex("0a ff ff ff ff ff 01")],
    ["a tag without end", hex("ff ff ff ff ff ff ff ff ff ff ff")],
    ["a tag cut short", hex("80")],
    ["a number cut short", hex("28 80")],
    ["a number of eleven bytes", hex("28 80 80 80 80 80 80 80 80 80 80 01")],
    ["an unknown fixed64 cut short", hex("f9 3f 01 02")],
    ["field number 0", hex("00 01")],
    ["wire type 6", hex("0e 01")],
    ["the end of a group that nobody began", hex("fc 3f")],
    ["a group without end", hex("fb 3f 08 01")],
    ["a group ended by another's end", hex("fb 3f 0c")],
    ["a message whose content runs over its end", hex("42 02 0a 05 61 61 61 61 61")],
    ["a map entry whose content runs over its end", hex("b2 01 02 0a 05 61 61 61 61 61")],
    ["text that is not UTF-8", hex("0a 02 c3 28")],
    ["a surrogate in text", hex("0a 03 ed a0 80")],
  ] as const
) {
  Deno.test(`refused: ${what}`, () => {
    assert.throws(() => Workload.decode(bytes), Error);
    assert.throws(() => Workload.decode(Buffer.from(bytes)), Error);
  });
}

Deno.test("nesting: 50 levels of a Struct are read, 10 000 are refused before the stack runs out", () => {
  // Struct.fields{"": Value.struct_value}
  const nested = (levels: number) => {
    let value: Uint8Array = new Uint8Array();
    for (let level = 0; level < levels; level++) value = wrapped(1, wrapped(2, wrapped(5, value)));
    return value;
  };
  let depth = 0;
  let struct = Struct.decode(nested(49)).fields[""];
  for (; struct?.structValue; struct = struct.structValue.fields[""]) depth++;
  assert.equal(depth, 49);
  assert.throws(() => Struct.decode(nested(1000)), /max depth exceeded/);
  const groups = new Uint8Array(10_000).fill(0x0b);
  assert.throws(() => Struct.decode(groups), /max depth exceeded/);
});

Deno.test("of a oneof the last one counts; a message that comes twice is merged", () => {
  const both = Uint8Array.of(...wrapped(1, hex("0a 01 61")), ...wrapped(2, hex("0a 01 62")));
  const address = Address.decode(both);
  assert.equal(address.type, "service");
  assert.equal(address.workload, null);
  assert.equal(address.service?.name, "b");
  const twice = Uint8Array.of(...wrapped(1, hex("0a 01 61")), ...wrapped(1, hex("12 01 62")));
  assert.deepEqual([Address.decode(twice).workload?.name, Address.decode(twice).workload?.namespace], ["a", "b"]);
});

Deno.test("repeated numbers are read packed and unpacked", () => {
  const { LoadBalancing } = resources.istio.workload;
  assert.deepEqual(LoadBalancing.decode(hex("0a 02 01 02 08 03")).routingPreference, [1, 2, 3]);
});

Deno.test("numbers an enum does not have come through as they are", () => {
  assert.equal(Workload.decode(hex("28 63")).tunnelProtocol, 99);
  assert.equal(Workload.decode(hex("28 ff ff ff ff ff ff ff ff ff 01")).tunnelProtocol, -1);
});

Deno.test("map keys cannot reach a prototype", () => {
  const entry = (key: string) => {
    const content = [...wrapped(1, Buffer.from(key)), ...wrapped(2, hex("0a 02 08 50"))];
    return Uint8Array.of(0xb2, 0x01, content.length, ...content);
  };
  for (const key of ["__proto__", "constructor", "toString"]) {
    const { services } = Workload.decode(entry(key));
    assert.deepEqual(Object.keys(services), [key]);
    assert.equal(Object.getPrototypeOf(services), Object.prototype);
    assert.equal(Reflect.get({}, "ports"), undefined);
  }
});

Deno.test("64-bit numbers are numbers: exact up to 2^53, nearest beyond", () => {
  const { IstioCertificateRequest } = ca.istio.v1.auth;
  for (const seconds of [0, 1, -1, 86_400, 2 ** 32, -(2 ** 40) - 1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]) {
    const bytes = IstioCertificateRequest.encode({ validityDuration: seconds }).finish();
    assert.equal(IstioCertificateRequest.decode(bytes).validityDuration, seconds);
  }
  const nanoseconds = 1_764_067_200_123_456_789n;
  const varint: number[] = [];
  for (let rest = nanoseconds; rest > 0n; rest >>= 7n) varint.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
  const sandbox = cri.runtime.v1.PodSandbox.decode(Uint8Array.of(0x20, ...varint));
  assert.equal(sandbox.createdAt, Number(nanoseconds));
});

const golden = new URL("../tests/fixtures/golden/xds-wildcard.jsonl", import.meta.url);
const REAL = Deno.readTextFileSync(golden).match(/"raw":"[^"]+"/g)?.map((raw) =>
  Buffer.from(raw.slice(7, -1), "base64")
);

/** A decoder has two ways out. What it read can be written, and is the same when read again. */
function decodesOrThrows(codec: AnyCodec, bytes: Uint8Array): void {
  let message: object;
  try {
    message = codec.decode(bytes);
  } catch (error) {
    assert(error instanceof Error);
    return;
  }
  const again = codec.encode(message).finish();
  assert.deepEqual(codec.encode(codec.decode(again)).finish(), again);
}

Deno.test("random bytes: a value or an error, for each message", () => {
  for (const codec of CODECS.values()) {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => decodesOrThrows(codec, bytes)), {
      numRuns: 60,
    });
  }
});

Deno.test("real resources, changed, cut and spliced: a value or an error", () => {
  const real = fc.constantFrom(...REAL ?? []);
  const change = fc.record({ at: fc.nat(1000), value: fc.nat(255) });
  fc.assert(
    fc.property(real, real, fc.nat(1000), fc.array(change, { maxLength: 4 }), (first, second, cut, changes) => {
      const bytes = Uint8Array.of(...first.subarray(0, cut), ...second.subarray(cut));
      for (const { at, value } of changes) bytes[at % bytes.length] = value;
      decodesOrThrows(Address as AnyCodec, bytes);
      decodesOrThrows(resources.istio.security.Authorization as AnyCodec, bytes);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("what decoding makes is never more than the input has bytes", () => {
  const count = (value: unknown): number =>
    typeof value !== "object" || value === null || value instanceof Uint8Array
      ? 0
      : Object.values(value).reduce<number>((sum, member) => sum + 1 + count(member), 0);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
    for (const codec of [Address, resources.istio.security.Authorization] as AnyCodec[]) {
      try {
        // Each list of a message is there from the start: 13 of them at most.
        assert(count(codec.decode(bytes)) <= 13 * (1 + bytes.length));
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
      }
    }
  }));
});
