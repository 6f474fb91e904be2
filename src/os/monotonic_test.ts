import { strict as assert } from "node:assert";
import { monotonic } from "./monotonic.ts";

Deno.test("the monotonic clock counts ms and does not go back", () => {
  const [ours, theirs] = [monotonic(), performance.now()];
  let last = ours;
  while (performance.now() - theirs < 5) {
    const now = monotonic();
    assert.ok(now >= last, `${now} after ${last}`);
    last = now;
  }
  // Both clocks are read at almost the same moments; seconds or microseconds would be off by a factor of a thousand.
  const passed = monotonic() - ours;
  assert.ok(passed >= 4 && passed < 5000, `${passed} ms`);
});
