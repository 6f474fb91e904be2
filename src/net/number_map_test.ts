import { strict as assert } from "node:assert";
import fc from "fast-check";
import { NumberMap } from "./number_map.ts";

interface Thing {
  readonly name: string;
}

const step = fc.record({
  key: fc.oneof(fc.nat(40), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
  keep: fc.boolean(),
});

Deno.test("number map: it behaves like Map for any sequence of calls", () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
    const map = new NumberMap<Thing>(), model = new Map<number, Thing>();
    steps.forEach(({ key, keep }, i) => {
      const thing = { name: `${key} ${i}` };
      if (keep) {
        map.set(key, thing);
        model.set(key, thing);
      } else assert.equal(map.delete(key), model.delete(key));
      assert.equal(map.size, model.size);
      assert.equal(map.get(key), model.get(key));
      assert.equal(map.has(key), model.has(key));
    });
    const sorted = [...model.keys()].sort((a, b) => a - b);
    assert.deepEqual(map.values(), sorted.map((key) => model.get(key)));
    for (const key of sorted) assert.equal(map.get(key), model.get(key));
  }));
});

Deno.test("number map: it grows with its entries, and shrinks again", () => {
  const map = new NumberMap<Thing>();
  for (let i = 0; i < 10_000; i++) map.set(2 * i + 1, { name: `${i}` });
  assert.equal(map.size, 10_000);
  for (let i = 0; i < 10_000; i++) assert.equal(map.get(2 * i + 1)!.name, `${i}`);
  for (let i = 0; i < 10_000; i += 2) assert.ok(map.delete(2 * i + 1));
  for (let i = 0; i < 10_000; i++) assert.equal(map.has(2 * i + 1), i % 2 === 1);
  for (const thing of map.values()) assert.ok(map.delete(2 * Number(thing.name) + 1));
  assert.equal(map.size, 0);
  assert.deepEqual(map.values(), []);
});

Deno.test("number map: a table of up to 64 entries is kept, a larger one shrinks to it", () => {
  const map = new NumberMap<Thing>();
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 20; i++) map.set(i, { name: `${i}` });
    for (let i = 0; i < 20; i++) map.delete(i);
    assert.equal(map.slots, 64);
  }
  for (let i = 0; i < 1000; i++) map.set(i, { name: `${i}` });
  for (let i = 0; i < 1000; i++) map.delete(i);
  assert.ok(map.slots <= 64, `${map.slots} slots`);
});
