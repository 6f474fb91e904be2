import { strict as assert } from "node:assert";
import fc from "fast-check";
import { PAUSE } from "./json.ts";
import { inOrder } from "./order.ts";

/** Many equal keys, and more items than one step sorts. */
const KEYS = fc.array(fc.integer({ min: 0, max: 300 }).map(String), { maxLength: 3000, size: "max" });

Deno.test("sorting in steps equals a stable sort", () => {
  fc.assert(
    fc.property(KEYS, (keys) => {
      const items = keys.map((key, came) => ({ key, came }));
      const sorted = [...inOrder(items, ({ key }) => key)].filter((item) => item !== PAUSE);
      const expected = [...items].sort((a, b) => a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
      assert.deepEqual(sorted, expected);
    }),
    { numRuns: 50 },
  );
});

Deno.test("sorting pauses before the first result, once per step", () => {
  const items = Array.from({ length: 5000 }, (_, i) => String(i * 7919 % 5000));
  const found = [...inOrder(items, (item) => item)];
  assert.equal(found.findIndex((item) => item !== PAUSE), 10);
  assert.equal(found.length, 5010);
});
