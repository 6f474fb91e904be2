import { strict as assert } from "node:assert";
import { INPUT, RecordBuffers } from "./record_buffers.ts";

Deno.test("record buffers: peers that stop in the middle of a record hold its bytes, not a block each", () => {
  const buffers = new RecordBuffers(), count = 1000, size = 5000;
  const kept = Array.from({ length: count }, () => buffers.keep(buffers.input, 0, size));
  const held = kept.reduce((sum, { memory }) => sum + memory.byteLength, 0);
  assert.ok(held < count * size + 8 * 65_536, `${held}`);
  for (const bytes of kept) buffers.release(bytes);
});

Deno.test("record buffers: what is kept has the same bytes, and a released block is used again", () => {
  const buffers = new RecordBuffers();
  for (let i = 0; i < INPUT; i++) buffers.input[i] = i % 251;
  for (const [from, end] of [[0, 10], [7, 5007], [3, 65_539], [1, 200_001]] as const) {
    const { memory, from: start, end: length } = buffers.keep(buffers.input, from, end);
    assert.deepEqual(memory.subarray(start, length), buffers.input.subarray(from, end));
  }
  const first = buffers.keep(buffers.input, 0, 5000);
  buffers.release(first);
  assert.equal(buffers.keep(buffers.input, 0, 6000).memory, first.memory);
});
