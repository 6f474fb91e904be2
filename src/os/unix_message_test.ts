import { strict as assert } from "node:assert";
import fc from "fast-check";
import { descriptorsIn } from "./unix_message.ts";

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(hex.replaceAll(" ", "").match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

Deno.test("inpod C1: the control buffer of one descriptor, 24 or 20 bytes long", () => {
  const control = bytes("1400000000000000 01000000 01000000 07000000 00000000");
  assert.deepEqual(descriptorsIn(control), [7]);
  assert.deepEqual(descriptorsIn(control.subarray(0, 20)), [7]);
});

Deno.test("two descriptors, several messages, other kinds of messages", () => {
  const two = "1800000000000000 01000000 01000000 07000000 08000000";
  const one = "1400000000000000 01000000 01000000 09000000 00000000";
  const credentials = "1c00000000000000 01000000 02000000 010000000200000003000000 00000000";
  assert.deepEqual(descriptorsIn(bytes(two)), [7, 8]);
  assert.deepEqual(descriptorsIn(bytes(credentials + two + one)), [7, 8, 9]);
  assert.deepEqual(descriptorsIn(new Uint8Array(0)), []);
});

Deno.test("a wrong length yields no number from outside of the buffer", () => {
  assert.deepEqual(descriptorsIn(bytes("0800000000000000 01000000 01000000 07000000 00000000")), []);
  assert.deepEqual(descriptorsIn(bytes("ffffffffffffffff 01000000 01000000 07000000 08000000")), [7, 8]);
});

Deno.test("descriptorsIn never throws and never finds more than fit", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (control) => {
    assert.ok(descriptorsIn(control).length <= control.length / 4);
  }));
});
