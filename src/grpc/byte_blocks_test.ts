import assert from "node:assert/strict";
import { BLOCK_SIZE, ByteBlocks } from "./byte_blocks.ts";

/** Returns blocks in which each byte depends on its index. */
function blocksOf(length: number): ByteBlocks {
  const bytes = Uint8Array.from({ length }, (_, i) => i * 7 ^ i >> 8);
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < length; at += BLOCK_SIZE) blocks.push(bytes.slice(at, at + BLOCK_SIZE));
  return new ByteBlocks(blocks);
}

const byteAt = (i: number) => (i * 7 ^ i >> 8) & 255;

for (const length of [0, 1, BLOCK_SIZE - 1, BLOCK_SIZE, BLOCK_SIZE + 1, 3 * BLOCK_SIZE, 3 * BLOCK_SIZE + 5]) {
  Deno.test(`byte blocks: ${length} bytes`, () => {
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
  Deno.test(`byte blocks: slice of [${start}, ${end})`, () => {
    const blocks = blocksOf(3 * BLOCK_SIZE + 9);
    assert.deepEqual(blocks.slice(start, end), blocks.toBytes().slice(start, Math.max(start, end)));
  });
}

Deno.test("byte blocks: a slice inside of a block is a view, one across blocks is a copy", () => {
  const block = new Uint8Array(BLOCK_SIZE);
  const blocks = new ByteBlocks([block, new Uint8Array(10)]);
  assert.equal(blocks.slice(1, 9).buffer, block.buffer);
  assert.notEqual(blocks.slice(BLOCK_SIZE - 1, BLOCK_SIZE + 1).buffer, block.buffer);
});

Deno.test("byte blocks: release frees block by block, and views become empty", () => {
  const blocks = [new Uint8Array(BLOCK_SIZE), new Uint8Array(10)];
  const message = new ByteBlocks(blocks);
  const view = message.slice(1, 5);
  const copy = message.slice(BLOCK_SIZE - 1, BLOCK_SIZE + 1);
  const releasing = message.release(free);
  releasing.next();
  assert.deepEqual([blocks[0]!.length, view.length, blocks[1]!.length], [0, 0, 10]);
  for (const _ of releasing) { /* to the end */ }
  assert.equal(blocks[1]!.length, 0);
  assert.equal(copy.length, 2);
});

Deno.test("byte blocks: releaseTo frees the blocks before an index, the following bytes stay readable", () => {
  const blocks = [new Uint8Array(BLOCK_SIZE), new Uint8Array(BLOCK_SIZE).fill(7), new Uint8Array(10).fill(8)];
  const message = new ByteBlocks(blocks);
  const sizes = () => blocks.map(({ length }) => length);
  message.releaseTo(BLOCK_SIZE - 1, free);
  assert.deepEqual(sizes(), [BLOCK_SIZE, BLOCK_SIZE, 10]);
  message.releaseTo(BLOCK_SIZE, free);
  assert.deepEqual(sizes(), [0, BLOCK_SIZE, 10]);
  assert.deepEqual(message.slice(2 * BLOCK_SIZE - 1, 2 * BLOCK_SIZE + 1), Uint8Array.of(7, 8));
  message.releaseTo(message.length, free);
  assert.deepEqual(sizes(), [0, 0, 10]);
  for (const _ of message.release(free)) { /* to the end */ }
  assert.deepEqual(sizes(), [0, 0, 0]);
});

Deno.test("byte blocks: ascii returns text only for ASCII in one block", () => {
  const block = new Uint8Array(BLOCK_SIZE).fill(0x61);
  block.set([0x62, 0x63, 0x80], 10);
  const message = new ByteBlocks([block, Uint8Array.of(0x64, 0x65)]);
  assert.equal(message.ascii(9, 12), "abc");
  assert.equal(message.ascii(9, 13), null, "no ASCII");
  assert.equal(message.ascii(BLOCK_SIZE - 1, BLOCK_SIZE + 1), null, "in two blocks");
  assert.equal(message.ascii(BLOCK_SIZE, BLOCK_SIZE + 2), "de");
  assert.equal(message.ascii(BLOCK_SIZE + 2, BLOCK_SIZE + 2), "");
});

function free(buffer: ArrayBuffer): void {
  buffer.transfer(0);
}
