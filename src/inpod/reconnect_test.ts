import { strict as assert } from "node:assert";
import { announceDelay, brokenDelay, connectDelay } from "./reconnect.ts";

const failures = Array.from({ length: 12 }, (_, i) => i + 1);

Deno.test("inpod A7: delays after failures to connect: 20, 40 ms ... 15 s", () => {
  const delays = [20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10_240, 15_000, 15_000];
  assert.deepEqual(failures.map(connectDelay), delays);
  assert.equal(connectDelay(1e9), 15_000);
});

Deno.test("inpod A1.10: delays after failures to send the hello: 5, 10 ms ... 15 s, ±20 %", () => {
  const delays = [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10_240];
  assert.deepEqual(failures.map((count) => announceDelay(count, 0.5)), delays);
  assert.deepEqual([announceDelay(1, 0), announceDelay(1, 0.999999)].map(Math.round), [4, 6]);
  assert.equal(announceDelay(1e9, 0.5), 15_000);
});

Deno.test("inpod Z18: the first reconnect is immediate, later ones are delayed", () => {
  assert.deepEqual(failures.slice(0, 8).map(brokenDelay), [0, 20, 40, 80, 160, 320, 640, 1000]);
});
