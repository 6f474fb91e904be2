import { strict as assert } from "node:assert";
import { bar, volume, wrap } from "./terminal.ts";

Deno.test("demo: words are wrapped, and a word that is too long gets its own line", () => {
  assert.deepEqual(wrap(["aa", "bb", "ccccccc", "d"], 5), ["aa bb", "ccccccc", "d"]);
  assert.deepEqual(wrap([], 5), []);
});

Deno.test("demo: volumes and bars", () => {
  assert.deepEqual([1e9, 50e6, 1500].map(volume), ["1 GB", "50 MB", "1.5 kB"]);
  assert.deepEqual([bar(0.5, 4), bar(2, 2), bar(-1, 2)], ["██░░", "██", "░░"]);
});
