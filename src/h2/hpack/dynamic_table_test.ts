import { strict as assert } from "node:assert";
import fc from "fast-check";
import { DynamicTable, type Sized } from "./dynamic_table.ts";

interface Item extends Sized {
  readonly id: number;
}

function add(table: DynamicTable<Item>, id: number, size: number): void {
  if (table.makeRoom(size)) table.push({ id, size });
}

function ids(table: DynamicTable<Item>): (number | undefined)[] {
  return Array.from({ length: table.length }, (_, age) => table.at(age)?.id);
}

Deno.test("RFC 7541 2.3.3: the newest entry comes first", () => {
  const table = new DynamicTable<Item>(1000);
  for (let id = 0; id < 20; id++) add(table, id, 40);
  assert.deepEqual(ids(table), Array.from({ length: 20 }, (_, age) => 19 - age));
  assert.equal(table.at(20), undefined);
  assert.equal(table.at(-1), undefined);
});

Deno.test("RFC 7541 4.4: the oldest entries are evicted", () => {
  const table = new DynamicTable<Item>(100);
  for (let id = 0; id < 3; id++) add(table, id, 33);
  add(table, 3, 60);
  assert.deepEqual([ids(table), table.size], [[3, 2], 93]);
});

Deno.test("RFC 7541 4.4: an entry of the size of the table fills it, a larger one empties it", () => {
  const table = new DynamicTable<Item>(100);
  add(table, 0, 40);
  add(table, 1, 100);
  assert.deepEqual([ids(table), table.size], [[1], 100]);
  add(table, 2, 101);
  assert.deepEqual([ids(table), table.size], [[], 0]);
  add(table, 3, 40);
  assert.deepEqual(ids(table), [3]);
});

Deno.test("RFC 7541 4.3: a smaller table evicts entries, and a larger one does not restore them", () => {
  const table = new DynamicTable<Item>(200);
  for (let id = 0; id < 5; id++) add(table, id, 40);
  table.setMaxSize(90);
  assert.deepEqual(ids(table), [4, 3]);
  table.setMaxSize(0);
  assert.deepEqual(ids(table), []);
  table.setMaxSize(200);
  add(table, 5, 40);
  assert.deepEqual(ids(table), [5]);
});

Deno.test("dynamic table: behaves as a list with a limit", () => {
  const step = fc.oneof(fc.record({ size: fc.integer({ min: 32, max: 300 }) }), fc.record({ max: fc.nat(1000) }));
  fc.assert(fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
    const table = new DynamicTable<Item>(1000);
    let model: Item[] = [];
    let limit = 1000;
    const total = () => model.reduce((sum, { size }) => sum + size, 0);
    steps.forEach((step, id) => {
      if ("max" in step) limit = step.max;
      else model.unshift({ id, size: step.size });
      while (total() > limit) model = model.slice(0, -1);
      if ("max" in step) table.setMaxSize(step.max);
      else add(table, id, step.size);
      assert.deepEqual([ids(table), table.size], [model.map(({ id }) => id), total()]);
    });
  }));
});
