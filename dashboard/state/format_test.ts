import { strict as assert } from "node:assert";
import { ago, bytes, count, counted, decimal, duration, percent, until } from "./format.ts";

Deno.test("format: numbers have as many digits as tell something", () => {
  assert.deepEqual([0, 0.001, 0.234, 5.25, 99.95, 1250.4].map(decimal), ["0", "< 0.01", "0.23", "5.3", "100", "1,250"]);
  assert.deepEqual([count(1234567), counted(1, "pod"), counted(2, "policy", "policies")], [
    "1,234,567",
    "1 pod",
    "2 policies",
  ]);
  assert.equal(percent(0.125), "12.5 %");
});

Deno.test("format: sizes", () => {
  const sizes = [0, 980, 999.6, 1234, 1_250_000, 3e9, 5e15];
  assert.deepEqual(sizes.map(bytes), ["0 B", "980 B", "1 KB", "1.2 KB", "1.3 MB", "3 GB", "5,000 TB"]);
});

Deno.test("format: durations in one or two units", () => {
  const texts = [0, 340, 2150, 59_999, 200_000, 7_500_000, 3 * 86_400_000 + 4 * 3_600_000, -5].map(duration);
  assert.deepEqual(texts, ["0 ms", "340 ms", "2.1 s", "59 s", "3 min 20 s", "2 h 5 min", "3 d 4 h", "0 ms"]);
  assert.deepEqual([ago(1000, 1500), ago(1000, 13_900), ago(5000, 1000)], ["just now", "12 s ago", "just now"]);
  assert.deepEqual([until(90_000, 0), until(0, 180_000)], ["in 1 min 30 s", "expired 3 min ago"]);
});
