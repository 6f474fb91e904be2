import { strict as assert } from "node:assert";
import { listWindow } from "./window.ts";

Deno.test("window: what is seen with a margin, and the height stays that of all rows", () => {
  const part = listWindow(2000, 3000, 600, 30);
  assert.deepEqual(part, { first: 92, end: 128, before: 2760, after: 56_160 });
  assert.equal(part.before + part.after + (part.end - part.first) * 30, 60_000);
});

Deno.test("window: short lists, the end, and a position beyond the end", () => {
  assert.deepEqual(listWindow(5, 0, 600, 30), { first: 0, end: 5, before: 0, after: 0 });
  assert.deepEqual(listWindow(0, 0, 600, 30), { first: 0, end: 0, before: 0, after: 0 });
  assert.deepEqual(listWindow(100, 99_999, 300, 30), { first: 82, end: 100, before: 2460, after: 0 });
});
