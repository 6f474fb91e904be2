import { strict as assert } from "node:assert";
import fc from "fast-check";
import { MemoryPipe } from "./testkit/memory_pipe.ts";

Deno.test("memory pipe: it behaves like a bounded list of bytes", () => {
  const step = fc.oneof(fc.record({ push: fc.uint8Array({ maxLength: 20 }) }), fc.record({ pull: fc.nat(20) }));
  fc.assert(fc.property(fc.integer({ min: 1, max: 30 }), fc.array(step), (capacity, steps) => {
    const pipe = new MemoryPipe(capacity);
    let model: number[] = [];
    for (const step of steps) {
      if ("push" in step) {
        const fits = step.push.subarray(0, capacity - model.length);
        assert.equal(pipe.push(step.push), fits.length);
        model.push(...fits);
      } else {
        const into = new Uint8Array(step.pull);
        const count = pipe.pull(into);
        assert.deepEqual([...into.subarray(0, count)], model.slice(0, step.pull));
        model = model.slice(count);
      }
      assert.deepEqual([pipe.length, pipe.free], [model.length, capacity - model.length]);
    }
  }));
});

Deno.test("memory pipe: clearing discards all bytes; a capacity below one is refused", () => {
  const pipe = new MemoryPipe(4);
  pipe.push(Uint8Array.of(1, 2, 3));
  pipe.clear();
  assert.equal(pipe.pull(new Uint8Array(4)), 0);
  assert.equal(pipe.push(Uint8Array.of(5, 6, 7, 8, 9)), 4);
  assert.throws(() => new MemoryPipe(0), RangeError);
});
