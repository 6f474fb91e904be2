import { strict as assert } from "node:assert";
import fc from "fast-check";
import { hasSerial, serialSet } from "./serial_set.ts";

Deno.test("serial set: empty, and with the shortest serial", () => {
  assert.equal(hasSerial(serialSet([]), Uint8Array.of(1)), false);
  const one = serialSet([Uint8Array.of(0)]);
  assert.equal(hasSerial(one, Uint8Array.of(0)), true);
  assert.equal(hasSerial(one, Uint8Array.of(0, 0)), false);
});

Deno.test("property: a serial set contains exactly its serials, leading zeros included, also after a copy to another thread", () => {
  const serial = fc.uint8Array({ minLength: 1, maxLength: 21, max: 3 });
  fc.assert(fc.property(fc.array(serial, { maxLength: 300 }), fc.array(serial), (listed, others) => {
    const set = structuredClone(serialSet(listed));
    const known = new Set(listed.map((one) => one.toHex()));
    for (const one of [...listed, ...others]) assert.equal(hasSerial(set, one), known.has(one.toHex()));
  }));
});
