import { strict as assert } from "node:assert";
import { BLOCK_SIZE, ByteBlocks } from "./byte_blocks.ts";

Deno.test("released memory is given back at once, with every view of it", () => {
  const blocks = [new Uint8Array(BLOCK_SIZE).fill(1), new Uint8Array(5).fill(2)];
  const message = new ByteBlocks(blocks);
  const view = message.slice(10, 20), copy = message.slice(BLOCK_SIZE - 1, BLOCK_SIZE + 1);
  message.release();
  assert.deepEqual(blocks.map(({ buffer }) => buffer.byteLength), [0, 0]);
  assert.equal(view.length, 0);
  assert.deepEqual([...copy], [1, 2]);
});
