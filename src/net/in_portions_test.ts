import { strict as assert } from "node:assert";
import { inPortions, PORTION } from "./in_portions.ts";
import { MemoryNetwork } from "./testkit/memory_network.ts";
import { Rounds } from "./rounds.ts";

Deno.test("in portions: the first portion runs at once, then one in each turn, in order", () => {
  const memory = new MemoryNetwork(), rounds = new Rounds(memory);
  const done: number[] = [];
  const items = Array.from({ length: 2 * PORTION + 3 }, (_, i) => i);
  inPortions(rounds, items, (item) => void done.push(item));
  for (const count of [PORTION, 2 * PORTION, items.length]) {
    assert.equal(done.length, count);
    memory.step();
  }
  assert.deepEqual(done, items);
  assert.equal(memory.busy, false);
});

Deno.test("in portions: two lists share the turns, and an empty list does nothing", () => {
  const memory = new MemoryNetwork(), rounds = new Rounds(memory);
  const done: string[] = [];
  inPortions(rounds, [], () => assert.fail("there is none"));
  for (const name of ["a", "b"]) inPortions(rounds, new Array(2 * PORTION).fill(name), (item) => void done.push(item));
  let largest = 0;
  while (memory.busy) {
    const before = done.length;
    memory.step();
    largest = Math.max(largest, done.length - before);
  }
  assert.equal(done.length, 4 * PORTION);
  assert.equal(largest, PORTION);
});

Deno.test("in portions: an error skips the rest of its portion, and the next portions run", () => {
  const memory = new MemoryNetwork(), rounds = new Rounds(memory);
  const done: number[] = [];
  const items = Array.from({ length: 2 * PORTION }, (_, i) => i);
  assert.throws(() =>
    inPortions(rounds, items, (item) => {
      if (item === 1) throw new Error("broken");
      done.push(item);
    }), /broken/);
  memory.runUntilIdle();
  assert.deepEqual(done, [0, ...items.slice(PORTION)]);
});
