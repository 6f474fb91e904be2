import { strict as assert } from "node:assert";
import fc from "fast-check";
import type { Timer } from "./clock.ts";
import { TimerQueue } from "./timers.ts";

Deno.test("timers: they run by due time, and equal times in order of creation", () => {
  const queue = new TimerQueue();
  const ran: string[] = [];
  queue.after(20, () => ran.push("b1"));
  queue.after(10, () => ran.push("a"));
  queue.after(20, () => ran.push("b2"));
  queue.after(20, () => ran.push("b3"));
  queue.after(30, () => ran.push("late"));
  assert.equal(queue.nextAt(), 10);
  assert.equal(queue.runDue(9), 0);
  assert.equal(queue.runDue(25), 4);
  assert.deepEqual(ran, ["a", "b1", "b2", "b3"]);
  assert.equal(queue.nextAt(), 30);
});

Deno.test("timers: a cancelled timer neither runs nor counts as next; cancelling twice or late is harmless", () => {
  const queue = new TimerQueue();
  const ran: string[] = [];
  const first = queue.after(1, () => ran.push("first"));
  const second = queue.after(2, () => ran.push("second"));
  first.cancel();
  first.cancel();
  assert.equal(queue.nextAt(), 2);
  assert.equal(queue.runDue(5), 1);
  second.cancel();
  assert.deepEqual(ran, ["second"]);
  assert.equal(queue.nextAt(), null);
  assert.equal(queue.size, 0);
});

Deno.test("timers: a callback may cancel a timer that is due in the same run", () => {
  const queue = new TimerQueue();
  const ran: string[] = [];
  queue.after(1, () => {
    ran.push("killer");
    victim.cancel();
  });
  const victim = queue.after(1, () => ran.push("victim"));
  assert.equal(queue.runDue(1), 1);
  assert.deepEqual(ran, ["killer"]);
});

Deno.test("timers: a timer made by a callback waits for the next run, even with a time in the past", () => {
  const queue = new TimerQueue();
  const ran: string[] = [];
  queue.after(1, () => queue.after(0, () => ran.push("newcomer")));
  queue.after(5, () => ran.push("old"));
  assert.equal(queue.runDue(10), 2);
  assert.deepEqual(ran, ["old"]);
  assert.equal(queue.nextAt(), 10);
  assert.equal(queue.runDue(10), 1);
  assert.deepEqual(ran, ["old", "newcomer"]);
});

Deno.test("timers: the error of a callback is passed on, and no other timer is lost", () => {
  const queue = new TimerQueue();
  const ran: string[] = [];
  queue.after(1, () => ran.push("before"));
  queue.after(2, () => {
    throw new Error("boom");
  });
  queue.after(3, () => ran.push("behind"));
  assert.throws(() => queue.runDue(10), /boom/);
  assert.deepEqual(ran, ["before"]);
  assert.equal(queue.runDue(10), 1);
  assert.deepEqual(ran, ["before", "behind"]);
});

Deno.test("timers: an interrupted run leaves the other timers in order, ahead of all that are set later", () => {
  const queue = new TimerQueue();
  const ran: string[] = [];
  const set = (name: string, at: number) => queue.after(at, () => void ran.push(name));
  for (let i = 0; i < 4; i++) {
    queue.after(10, () => {
      ran.push(`old ${i}`);
      set(`new ${i}`, 0);
    });
  }
  const two = (count: number) => count < 2;
  assert.equal(queue.runDue(20, two), 2);
  assert.equal(queue.nextAt(), 10);
  assert.equal(queue.runDue(21, two), 2);
  assert.deepEqual(ran, ["old 0", "old 1", "old 2", "old 3"]);
  assert.equal(queue.runDue(22, two), 2);
  assert.equal(queue.runDue(23, two), 2);
  assert.deepEqual(ran.slice(4), ["new 0", "new 1", "new 2", "new 3"]);
});

Deno.test("timers: each call runs at least one timer, even when no time is left", () => {
  const queue = new TimerQueue();
  for (let i = 0; i < 3; i++) queue.after(1, () => {});
  for (let left = 3; left > 0; left--) assert.equal(queue.runDue(5, () => false), 1);
  assert.equal(queue.nextAt(), null);
});

Deno.test("timers: NaN is refused, Infinity never runs", () => {
  const queue = new TimerQueue();
  assert.throws(() => queue.after(NaN, () => {}), RangeError);
  queue.after(Infinity, () => assert.fail("ran"));
  assert.equal(queue.runDue(Number.MAX_VALUE), 0);
});

Deno.test("timers: the number of cancelled entries is bounded", () => {
  const queue = new TimerQueue();
  for (let i = 0; i < 20; i++) queue.after(1e9 + i, () => {});
  let largest = 0;
  for (let i = 0; i < 10_000; i++) {
    queue.after(10_000 + i, () => assert.fail("ran")).cancel();
    largest = Math.max(largest, queue.size);
  }
  assert.ok(largest <= 65, `held ${largest} entries for 20 live timers`);
});

Deno.test("timers: a burst of cancelled timers is freed when the loop reads the time of the next one", () => {
  const queue = new TimerQueue();
  const burst: Timer[] = [];
  for (let i = 0; i < 1000; i++) burst.push(queue.after(i, () => {}));
  queue.after(5000, () => {});
  for (const timer of burst) timer.cancel();
  assert.equal(queue.nextAt(), 5000);
  assert.equal(queue.size, 1);
});

type Step = { set: number } | { cancel: number } | { advance: number };

Deno.test("timers: they behave like a sorted list for any sequence of calls", () => {
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 4, arbitrary: fc.record({ set: fc.nat(50) }) },
    { weight: 4, arbitrary: fc.record({ cancel: fc.nat(400) }) },
    { weight: 1, arbitrary: fc.record({ advance: fc.nat(20) }) },
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
    const queue = new TimerQueue();
    let model: { at: number; id: number }[] = [];
    const timers: Timer[] = [];
    const ran: number[] = [];
    const expected: number[] = [];
    let now = 0;
    for (const step of steps) {
      if ("set" in step) {
        const id = timers.length;
        timers.push(queue.after(now + step.set, () => ran.push(id)));
        model.push({ at: now + step.set, id });
      } else if ("cancel" in step) {
        timers[step.cancel]?.cancel();
        model = model.filter((entry) => entry.id !== step.cancel);
      } else {
        now += step.advance;
        queue.runDue(now);
        const due = model.filter((entry) => entry.at <= now).sort((a, b) => a.at - b.at || a.id - b.id);
        expected.push(...due.map((entry) => entry.id));
        model = model.filter((entry) => entry.at > now);
      }
      const next = model.reduce<number | null>((least, entry) => Math.min(least ?? Infinity, entry.at), null);
      assert.equal(queue.nextAt(), next);
    }
    assert.deepEqual(ran, expected);
  }));
});
