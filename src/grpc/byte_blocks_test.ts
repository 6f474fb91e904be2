import assert from "node:assert/strict";
import { BLOCK_SIZE, ByteBlocks } from "./byte_blocks.ts";

/** Bytes that tell their place, in blocks. */
function blocksOf(length: number): ByteBlocks {
  const bytes = Uint8Array.from({ length }, (_, i) => i * 7 ^ i >> 8);
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < length; at += BLOCK_SIZE) blocks.push(bytes.slice(at, at + BLOCK_SIZE));
  return new ByteBlocks(blocks);
}

const byteAt = (i: number) => (i * 7 ^ i >> 8) & 255;

for (const length of [0, 1, BLOCK_SIZE - 1, BLOCK_SIZE, BLOCK_SIZE + 1, 3 * BLOCK_SIZE, 3 * BLOCK_SIZE + 5]) {
  Deno.test(`${length} bytes in blocks`, () => {
    const blocks = blocksOf(length);
    assert.equal(blocks.length, length);
    const whole = blocks.toBytes();
    assert.equal(whole.length, length);
    for (let i = 0; i < length; i += 1021) {
      assert.equal(blocks.at(i), byteAt(i));
      assert.equal(whole[i], byteAt(i));
    }
    if (length > 0) assert.equal(blocks.at(length - 1), byteAt(length - 1));
  });
}

const slices: readonly [start: number, end: number][] = [
  [0, 0],
  [5, 5],
  [7, 3],
  [0, BLOCK_SIZE],
  [BLOCK_SIZE - 1, BLOCK_SIZE],
  [BLOCK_SIZE, BLOCK_SIZE + 1],
  [BLOCK_SIZE - 1, BLOCK_SIZE + 1],
  [10, 2 * BLOCK_SIZE + 10],
  [BLOCK_SIZE - 3, 3 * BLOCK_SIZE + 9],
];

for (const [start, end] of slices) {
  Deno.test(`slice of [${start}, ${end}): as of one piece`, () => {
    const blocks = blocksOf(3 * BLOCK_SIZE + 9);
    assert.deepEqual(blocks.slice(start, end), blocks.toBytes().slice(start, Math.max(start, end)));
  });
}

Deno.test("a slice inside of a block is a view, one across blocks is a copy", () => {
  const block = new Uint8Array(BLOCK_SIZE);
  const blocks = new ByteBlocks([block, new Uint8Array(10)]);
  assert.equal(blocks.slice(1, 9).buffer, block.buffer);
  assert.notEqual(blocks.slice(BLOCK_SIZE - 1, BLOCK_SIZE + 1).buffer, block.buffer);
});

Deno.test("released memory is given back, block by block, with every view of it", () => {
  const blocks = [new Uint8Array(BLOCK_SIZE), new Uint8Array(10)];
  const message = new ByteBlocks(blocks);
  const view = message.slice(1, 5);
  const copy = message.slice(BLOCK_SIZE - 1, BLOCK_SIZE + 1);
  const releasing = message.release();
  releasing.next();
  assert.deepEqual([blocks[0]!.length, view.length, blocks[1]!.length], [0, 0, 10]);
  for (const _ of releasing) { /* to the end */ }
  assert.equal(blocks[1]!.length, 0);
  assert.equal(copy.length, 2);
});
