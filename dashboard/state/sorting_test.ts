import { strict as assert } from "node:assert";
import { nextSorting, sorted } from "./sorting.ts";

Deno.test("sorting: a second click turns the direction round", () => {
  const first = nextSorting(null, "bytes", true);
  assert.deepEqual([first, nextSorting(first, "bytes", true)], [
    { column: "bytes", isDescending: true },
    { column: "bytes", isDescending: false },
  ]);
  assert.deepEqual(nextSorting(first, "name", false), { column: "name", isDescending: false });
});

Deno.test("sorting: equal rows keep their order", () => {
  const rows = [{ n: 1, id: "a" }, { n: 2, id: "b" }, { n: 1, id: "c" }];
  const ids = (isDescending: boolean) => sorted(rows, ({ n }) => n, isDescending).map(({ id }) => id).join("");
  assert.deepEqual([ids(false), ids(true)], ["acb", "bac"]);
});
