import { strict as assert } from "node:assert";
import { median, medianRatio } from "./statistics.ts";

for (const [values, middle] of [[[3, 1, 2], 2], [[4, 1, 2, 3], 2.5], [[7], 7], [[], NaN], [[NaN, 5], 5]] as const) {
  Deno.test(`median of ${values.length} values is ${middle}`, () => assert.deepEqual(median(values), middle));
}

Deno.test("ratios are taken within a round", () => {
  // The machine was twice as fast in the second round; the ratio did not change.
  assert.equal(medianRatio([100, 200, 100], [50, 100, 50]), 2);
});

Deno.test("a round that lacks one side has no ratio", () => {
  assert.equal(medianRatio([10, 90], [10, NaN]), 1);
  assert.deepEqual(medianRatio([], []), NaN);
});
