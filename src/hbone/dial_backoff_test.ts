import { strict as assert } from "node:assert";
import { DialBackoff } from "./dial_backoff.ts";
import { responseTimeout } from "./failure.ts";

const WHY = responseTimeout();

/** A backoff under a clock that the test sets. `draw`: the random number. */
function backoff(draw: number) {
  const clock = { time: 5000, now: () => clock.time };
  return { clock, waits: new DialBackoff(clock, () => draw) };
}

/** The waits after each of `count` failures, each made when the wait before it is over. */
function waitsAfter(count: number, draw: number): number[] {
  const { clock, waits } = backoff(draw);
  return Array.from({ length: count }, () => {
    waits.failed("a", WHY);
    const wait = waits.wait("a");
    clock.time += wait;
    return wait;
  });
}

Deno.test("waits grow from 50 ms to 1 s, each by chance between half of its longest value and that", () => {
  assert.deepEqual(waitsAfter(6, 0), [50, 100, 200, 400, 500, 500]);
  assert.deepEqual(waitsAfter(6, 0.5), [75, 150, 300, 600, 750, 750]);
  const longest = waitsAfter(6, 1 - Number.EPSILON);
  assert.ok(longest.every((wait, i) => Math.abs(wait - [100, 200, 400, 800, 1000, 1000][i]!) < 0.01), `${longest}`);
});

Deno.test("a peer that never failed has no wait, one that succeeded has none any more", () => {
  const { clock, waits } = backoff(0);
  assert.deepEqual([waits.wait("a"), waits.isFailing("a"), waits.lastFailure("a")], [0, false, null]);
  waits.failed("a", WHY);
  assert.deepEqual([waits.wait("a"), waits.isFailing("a"), waits.wait("b")], [50, true, 0]);
  assert.equal(waits.lastFailure("a"), WHY);
  clock.time += 49;
  assert.equal(waits.wait("a"), 1);
  clock.time += 10;
  assert.deepEqual([waits.wait("a"), waits.isFailing("a")], [0, true], "until an attempt succeeds");
  waits.succeeded("a");
  assert.deepEqual([waits.size, waits.isFailing("a")], [0, false]);
  waits.failed("a", WHY);
  assert.equal(waits.wait("a"), 50, "waits begin anew");
});

Deno.test("peers that have not failed for 30 s are removed with the next failure", () => {
  const { clock, waits } = backoff(0);
  waits.failed("a", WHY);
  waits.failed("a", WHY);
  clock.time += 20_000;
  waits.failed("b", WHY);
  clock.time += 10_101;
  waits.failed("c", WHY);
  assert.deepEqual([waits.size, waits.isFailing("a"), waits.isFailing("b")], [2, false, true]);
  clock.time += 31_000;
  waits.failed("c", WHY);
  assert.deepEqual([waits.size, waits.wait("c")], [1, 50], "as after a first failure");
});

Deno.test("256 peers are remembered: beyond, the one that failed first is removed", () => {
  const { waits } = backoff(0);
  for (let i = 0; i < 256; i++) waits.failed(`${i}`, WHY);
  waits.failed("0", WHY);
  waits.failed("one more", WHY);
  assert.equal(waits.size, 256);
  assert.deepEqual(["0", "1", "2", "one more"].map((key) => waits.isFailing(key)), [true, false, true, true]);
});
