import { strict as assert } from "node:assert";
import fc from "fast-check";
import { type QueuedStream, WaitingFor, WaitQueue } from "./wait_queue.ts";

class Numbered implements QueuedStream {
  waitingFor = WaitingFor.NOTHING;
  waitNext: QueuedStream | null = null;
  waitPrevious: QueuedStream | null = null;
  constructor(readonly number: number) {}
  wake(): void {}
}

Deno.test("a queue behaves like a list without repetitions, whatever is added and removed", () => {
  const step = fc.record({ what: fc.constantFrom("add", "remove", "shift"), who: fc.nat(5) });
  fc.assert(fc.property(fc.array(step), (steps) => {
    const waiters = Array.from({ length: 6 }, (_, i) => new Numbered(i));
    const queue = new WaitQueue(WaitingFor.ROOM);
    const model: Numbered[] = [];
    for (const { what, who } of steps) {
      const waiter = waiters[who]!;
      if (what === "add") {
        queue.add(waiter);
        if (!model.includes(waiter)) model.push(waiter);
      } else if (what === "remove") {
        queue.remove(waiter);
        if (model.includes(waiter)) model.splice(model.indexOf(waiter), 1);
      } else assert.equal(queue.shift(), model.shift() ?? null);
      assert.equal(queue.size, model.length);
      assert.ok(waiters.every((w) => (w.waitingFor === WaitingFor.ROOM) === model.includes(w)));
    }
    while (model.length > 0) assert.equal(queue.shift(), model.shift());
    assert.equal(queue.shift(), null);
  }));
});
