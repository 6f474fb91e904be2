import { strict as assert } from "node:assert";
import { afterRunning } from "./running_time.ts";

Deno.test("a time limit does not count the time in which the test process did not run", async () => {
  let over = false;
  const cancel = afterRunning(1000, () => over = true);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500);
  // Timers that are due run in the order of their times, so one of 1000 ms would have run before this one.
  await new Promise((resolve) => setTimeout(resolve, 1));
  assert.equal(over, false);
  cancel();
});

Deno.test("a time limit ends the wait", async () => {
  await new Promise<void>((resolve) => afterRunning(200, resolve));
});
