import { strict as assert } from "node:assert";
import fc from "fast-check";
import { editDistance } from "./edit_distance.ts";

Deno.test("the edit distance of two texts, up to a limit", () => {
  const distances = [["", ""], ["a", ""], ["kitten", "sitting"], ["abc", "abd"], ["abcdef", "x"]] as const;
  assert.deepEqual(distances.map(([a, b]) => editDistance(a, b, 3)), [0, 1, 3, 1, 4]);
});

/** The textbook algorithm with the whole table. */
function reference(a: string, b: string): number {
  const table = Array.from({ length: a.length + 1 }, (_, i) => [i, ...new Array<number>(b.length).fill(0)]);
  for (let j = 1; j <= b.length; j++) table[0]![j] = j;
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const replaced = table[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      table[i]![j] = Math.min(replaced, table[i - 1]![j]! + 1, table[i]![j - 1]! + 1);
    }
  }
  return table[a.length]![b.length]!;
}

Deno.test("the edit distance computed near the diagonal equals that of the whole table", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 12 });
  fc.assert(fc.property(text, text, fc.nat(6), (a, b, limit) => {
    assert.equal(editDistance(a, b, limit), Math.min(reference(a, b), limit + 1));
  }));
});
