import { strict as assert } from "node:assert";
import { Budgets, TokenBucket } from "./budget.ts";
import { DEFAULT_LIMITS } from "./limits.ts";

Deno.test("a token bucket allows its burst at once and refills with time, up to the burst", () => {
  const bucket = new TokenBucket("resets", { burst: 3, perSecond: 2 }, 1000);
  const take = (n: number, now: number) => Array.from({ length: n }, () => bucket.take(1, now));
  assert.deepEqual(take(4, 1000), [true, true, true, false]);
  assert.deepEqual(take(2, 1500), [true, false]);
  assert.deepEqual(take(4, 60_000), [true, true, true, false]);
  assert.deepEqual(take(1, 59_000), [false], "a clock that steps back gives nothing");
  assert.equal(bucket.breach, "resets above 3 at once or 2 per second");
});

Deno.test("sent DATA adds to the budget for window updates", () => {
  const budgets = new Budgets({ ...DEFAULT_LIMITS, windowUpdates: { burst: 100, perSecond: 0 } }, 0);
  const count = () => {
    let n = 0;
    while (budgets.takeWindowUpdate(0)) n++;
    return n;
  };
  assert.equal(count(), 100);
  budgets.dataSent(10, 10 * 1024);
  assert.equal(count(), 30);
  budgets.dataSent(1, 1);
  assert.equal(count(), 2);
  budgets.dataSent(1000, 1 << 30);
  assert.equal(count(), 100);
});
