import { strict as assert } from "node:assert";
import { UpdatePace } from "./update_pace.ts";

/** Applies a batch that takes `work` ms in a loop that always has arrivals. Returns the time and the longest slice. */
function applyBusily(pace: UpdatePace, work: number): { readonly took: number; readonly longest: number } {
  let now = 0, arrivals = 0, longest = 0;
  pace.begin(arrivals);
  for (let left = work;;) {
    const slice = Math.min(left, pace.slice);
    longest = Math.max(longest, slice);
    left -= slice;
    now += slice;
    if (left <= 0) return { took: now, longest };
    arrivals += 100;
    const pause = pace.pauseAfter(now, arrivals);
    assert.ok(pause > 0, "the loop is busy");
    now += pause;
  }
}

Deno.test("a batch of 1.5 s of work, four times 100,000 workloads, is complete within ten seconds in a loop that is never idle", () => {
  const { took, longest } = applyBusily(new UpdatePace(), 1500);
  assert.ok(took < 10_000, `${took}`);
  assert.ok(longest <= 4, "a request waits for 4 ms at most");
});

Deno.test("a batch of a thousand workloads leaves nearly all of the loop to traffic", () => {
  const { took, longest } = applyBusily(new UpdatePace(), 15);
  assert.ok(longest < 1, `${longest}`);
  assert.ok(took > 15 * 20, `${took}`);
});

Deno.test("the next batch begins with short slices again", () => {
  const pace = new UpdatePace();
  const first = applyBusily(pace, 1500);
  assert.deepEqual(applyBusily(pace, 1500), first);
});

Deno.test("slices stay short where the loop has time for them", () => {
  const pace = new UpdatePace();
  pace.begin(0);
  const before = pace.slice;
  for (let now = 0; now < 1000; now++) assert.equal(pace.pauseAfter(now, 0), 0);
  assert.equal(pace.slice, before);
});
