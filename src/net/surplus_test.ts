import { strict as assert } from "node:assert";
import { BLOCK, BlockPool } from "./block_pool.ts";
import { FreeList } from "./free_list.ts";
import { Surplus } from "./surplus.ts";

Deno.test("surplus: reported once for all pools, and again after everything was trimmed", () => {
  const trims: (() => boolean)[] = [];
  const left = [2, 1];
  const surplus = new Surplus((trim) => trims.push(trim));
  left.forEach((_, i) => surplus.add({ trim: () => --left[i]! > 0 }));
  surplus.report();
  surplus.report();
  assert.equal(trims.length, 1);
  assert.equal(trims[0]!(), true, "the first pool has more");
  assert.deepEqual(left, [1, 0], "each pool was trimmed");
  surplus.report();
  assert.equal(trims.length, 1);
  assert.equal(trims[0]!(), false);
  surplus.report();
  assert.equal(trims.length, 2);
});

Deno.test("block pool: eight free blocks are kept, and more are freed when they were not used between two trims", () => {
  let reports = 0;
  const pool = new BlockPool(() => reports++);
  const blocks = Array.from({ length: 10 }, () => pool.borrow());
  for (const block of blocks) pool.giveBack(block);
  assert.deepEqual([reports, pool.freeCount], [2, 10]);
  assert.equal(pool.trim(), true, "all blocks were in use until now");
  assert.equal(pool.trim(), false);
  assert.equal(pool.freeCount, 8);
  assert.equal(blocks.filter((block) => block.length === BLOCK).length, 8, "the others are freed at once");
});

Deno.test("free list: only buffers that were not used since the last call are dropped", () => {
  const list = new FreeList();
  for (let i = 1; i <= 4; i++) list.put(new Uint8Array(i));
  const dropped: number[] = [];
  const drop = (buffer: Uint8Array) => dropped.push(buffer.length);
  list.dropUnused(4, drop);
  assert.deepEqual(dropped, []);
  const used = [list.take()!, list.take()!];
  for (const buffer of used) list.put(buffer);
  list.dropUnused(4, drop);
  assert.equal(dropped.length, 2);
  assert.equal(list.length, 2);
  list.dropUnused(1, drop);
  assert.equal(dropped.length, 3);
});
