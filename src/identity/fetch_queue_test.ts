import { strict as assert } from "node:assert";
import fc from "fast-check";
import { FetchQueue, Priority } from "./fetch_queue.ts";

const { Background, Warmup, RealTime } = Priority;

function drain(queue: FetchQueue, now: number): string[] {
  const order: string[] = [];
  for (let key = queue.take(now); key !== null; key = queue.take(now)) order.push(key);
  return order;
}

Deno.test("fetch queue: ordered by priority, then time, then arrival", () => {
  const queue = new FetchQueue();
  queue.add("late", Background, 20);
  queue.add("early", Background, 10);
  queue.add("twin", Background, 10);
  queue.add("warm", Warmup, 30);
  queue.add("real", RealTime, 40);
  assert.deepEqual(drain(queue, 100), ["real", "warm", "early", "twin", "late"]);
  assert.equal(queue.take(100), null);
});

Deno.test("fetch queue: a key that is not due does not delay others", () => {
  const queue = new FetchQueue();
  queue.add("future", RealTime, 50);
  queue.add("now", Background, 10);
  assert.equal(queue.nextDue(), 10);
  assert.deepEqual(drain(queue, 10), ["now"]);
  assert.equal(queue.nextDue(), 50);
  assert.deepEqual(drain(queue, 50), ["future"]);
  assert.equal(queue.nextDue(), null);
});

Deno.test("fetch queue: one entry per key, which is only moved forward", () => {
  const queue = new FetchQueue();
  queue.add("a", Warmup, 10);
  queue.add("a", Background, 1);
  queue.add("a", Warmup, 20);
  assert.equal(queue.size, 1);
  assert.equal(queue.nextDue(), 10);
  queue.add("a", Warmup, 5);
  assert.equal(queue.nextDue(), 5);
  queue.add("a", RealTime, 30);
  assert.equal(queue.nextDue(), 30);
  queue.remove("a");
  assert.equal(queue.size, 0);
});

Deno.test("property: all due keys are taken once, in order", () => {
  const entry = fc.record({ priority: fc.constantFrom(Background, Warmup, RealTime), due: fc.nat(20) });
  fc.assert(fc.property(fc.array(entry), fc.nat(20), (entries, now) => {
    const queue = new FetchQueue();
    entries.forEach(({ priority, due }, i) => queue.add(String(i), priority, due));
    const out = drain(queue, now).map(Number);
    const expected = entries.map((e, i) => ({ ...e, i })).filter((e) => e.due <= now)
      .sort((a, b) => b.priority - a.priority || a.due - b.due || a.i - b.i).map((e) => e.i);
    assert.deepEqual(out, expected);
  }));
});
