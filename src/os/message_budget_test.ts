import { strict as assert } from "node:assert";
import { MessageBudget } from "./message_budget.ts";

const MIB = 1 << 20;

/** Returns how many of `most` messages are accepted at this time. */
function taken(budget: MessageBudget, most: number, now: number, bytes: number): number {
  let count = 0;
  while (count < most && budget.take(now, bytes)) count++;
  return count;
}

Deno.test("message budget: 64 messages at once, and no more, however many are sent", () => {
  const budget = new MessageBudget(0, 0);
  assert.equal(taken(budget, 1000, 0, 0), 64);
  assert.equal(taken(budget, 1000, 0, 0), 0);
});

Deno.test("message budget: a byte of data after each message does not noticeably add to the budget", () => {
  const budget = new MessageBudget(0, 0);
  let count = 0;
  // A key update and a record of one byte are 50 bytes on the wire.
  while (count < 100_000 && budget.take(0, 50 * count)) count++;
  assert.ok(count <= 65, `${count} taken`);
});

Deno.test("message budget: one message a second, or one for each MiB, is accepted for any length of time", () => {
  const slow = new MessageBudget(0, 0), bulk = new MessageBudget(0, 0);
  for (let i = 1; i <= 5000; i++) {
    assert.ok(slow.take(1000 * i, 0));
    // The byte count wraps around at 2^32.
    assert.ok(bulk.take(0, (MIB * i) >>> 0));
  }
});

Deno.test("message budget: after a long pause the full burst is allowed again, but not more", () => {
  const budget = new MessageBudget(0, 0);
  assert.equal(taken(budget, 1000, 0, 0), 64);
  assert.equal(taken(budget, 1000, 1e9, 0), 64);
});
