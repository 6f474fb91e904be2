import { strict as assert } from "node:assert";
import { LARGEST } from "../h2/buffer_pool.ts";
import { MemoryNetwork } from "../net/testkit/memory_network.ts";
import { BLOCK } from "../net/block_pool.ts";
import { makeHboneLoop } from "./hbone_loop.ts";
import { HostNetwork } from "./testkit/network.ts";

Deno.test("loop: surplus memory of a burst is announced once, and freed when it was unused between two trims", () => {
  const trims: (() => boolean)[] = [];
  const loop = makeHboneLoop(new HostNetwork(new MemoryNetwork(), 1), (trim) => trims.push(trim));
  const blocks = Array.from({ length: 100 }, () => loop.blocks.borrow());
  const buffers = Array.from({ length: 3 }, () => loop.h2.output.borrow(LARGEST));
  for (const block of blocks) loop.blocks.giveBack(block);
  for (const buffer of buffers) loop.h2.output.giveBack(buffer);
  assert.equal(trims.length, 1);
  const trim = trims[0]!;
  assert.equal(trim(), true, "all of them were in use until now");
  assert.equal(loop.blocks.freeCount, 100);
  assert.equal(trim(), false);
  assert.equal(loop.blocks.freeCount, 8);
  assert.equal(loop.h2.output.freeBytes, LARGEST);
  assert.equal(blocks.filter((block) => block.length === BLOCK).length, 8, "their memory is freed at once");
});
