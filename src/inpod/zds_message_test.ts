import { strict as assert } from "node:assert";
import fc from "fast-check";
import { decodeRequest, encodeAck, encodeHello, type ZdsRequest } from "./zds_message.ts";

interface Vector {
  readonly id: string;
  readonly bytes: string;
  readonly descriptors?: number;
  readonly truncated?: boolean;
  readonly gives: ZdsRequest | { readonly error: string | RegExp };
}

const uid = "uid0" as never;
const ADD_WITH_INFO = "0a 16 0a 04 75 69 64 30 12 0e 0a 04 6e 61 6d 65 12 02 6e 73 1a 02 73 61";
const ADD = "0a 06 0a 04 75 69 64 30", KEEP = "2a 06 0a 04 75 69 64 30", DELETE = "12 06 12 04 75 69 64 30";
const workload = { name: "name", namespace: "ns", serviceAccount: "sa" };

const VECTORS: readonly Vector[] = [
  { id: "Z2", bytes: ADD_WITH_INFO, descriptors: 1, gives: { kind: "add", uid, workload } },
  { id: "Z3", bytes: ADD, descriptors: 1, gives: { kind: "add", uid, workload: null } },
  { id: "Z4", bytes: ADD, gives: { error: "No control message" } },
  { id: "Z5", bytes: DELETE, gives: { kind: "delete", uid } },
  { id: "Z6", bytes: DELETE, descriptors: 1, gives: { error: "Unexpected control message" } },
  { id: "Z7", bytes: KEEP, descriptors: 1, gives: { error: "Unexpected control message" } },
  { id: "Z8", bytes: "1a 00", descriptors: 1, gives: { error: "Unexpected control message" } },
  { id: "Z9", bytes: ADD, descriptors: 2, gives: { error: "Expected 1 FD, got 2" } },
  { id: "Z10", bytes: ADD, descriptors: 2, truncated: true, gives: { error: "received truncated message" } },
  { id: "Z11", bytes: ADD, descriptors: 1, truncated: true, gives: { error: "received truncated message" } },
  { id: "Z13", bytes: "ff", gives: { error: /^failed to decode message: / } },
  { id: "Z14", bytes: "22 00", gives: { error: "no payload" } },
  { id: "A1.2 keep", bytes: KEEP, gives: { kind: "keep", uid } },
  { id: "A1.2 snapshot", bytes: "1a 00", gives: { kind: "snapshot-sent" } },
  { id: "A1.2 unknown fields", bytes: `${KEEP} 52 01 00`, gives: { kind: "keep", uid } },
  {
    id: "A1.3 two descriptors without a payload",
    bytes: "ff",
    descriptors: 2,
    gives: { error: "Expected 1 FD, got 2" },
  },
];

for (const { id, bytes, descriptors = 0, truncated = false, gives } of VECTORS) {
  Deno.test(`inpod ${id}: decoding a packet`, () => {
    const found = decodeRequest({ bytes: hex(bytes), descriptors: { length: descriptors }, truncated });
    if ("error" in gives && gives.error instanceof RegExp) {
      assert.match("error" in found ? found.error : "", gives.error);
    } else assert.deepEqual(found, gives);
  });
}

Deno.test("inpod Z2: a request is plain data, as messages to workers must be", () => {
  const found = decodeRequest({
    bytes: hex("0a 0a 0a 04 75 69 64 30 12 02 0a 00"),
    descriptors: [1],
    truncated: false,
  });
  assert.deepEqual(structuredClone(found), {
    kind: "add",
    uid,
    workload: { name: "", namespace: "", serviceAccount: "" },
  });
});

Deno.test("inpod Z1, Z19: hello and acknowledgements, byte for byte", () => {
  assert.equal(encodeHello().toHex(), "0801");
  assert.equal(encodeAck(null).toHex(), "0a00");
  assert.equal(encodeAck("x").toHex(), "0a030a0178");
});

Deno.test("inpod A1.1: a long error is cut to the size that agents read, between characters", () => {
  for (const letter of ["x", "ü", "漢", "💥"]) {
    const ack = encodeAck(letter.repeat(2000));
    assert.ok(ack.length < 1000, `${ack.length} bytes`);
    const text = new TextDecoder("utf-8", { fatal: true }).decode(ack.subarray(6));
    assert.match(text, new RegExp(`^${letter}+\\.\\.\\.$`, "u"));
  }
});

Deno.test("inpod, property: any packet is a request or an error", () => {
  const packets = fc.oneof(
    fc.uint8Array({ maxLength: 1024 }),
    fc.tuple(fc.constantFrom(ADD, ADD_WITH_INFO, KEEP, DELETE), fc.nat(), fc.nat(255)).map(([text, at, byte]) => {
      const bytes = hex(text);
      bytes[at % bytes.length] = byte;
      return bytes;
    }),
  );
  fc.assert(fc.property(packets, fc.nat(2), fc.boolean(), (bytes, descriptors, truncated) => {
    const found = decodeRequest({ bytes, descriptors: { length: descriptors }, truncated });
    assert.ok("error" in found || found.kind.length > 0);
    if (!("error" in found)) assert.equal(descriptors, found.kind === "add" ? 1 : 0);
  }));
});

function hex(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromHex(text.replaceAll(" ", ""));
}
