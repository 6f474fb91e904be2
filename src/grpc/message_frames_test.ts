import fc from "fast-check";
import assert from "node:assert/strict";
import { BLOCK_SIZE, type ByteBlocks } from "./byte_blocks.ts";
import { frameMessage, MessageAssembler } from "./message_frames.ts";
import { codeName } from "./status.ts";

const message = fc.uint8Array({ maxLength: 2000 });

Deno.test("property: messages are assembled from chunks of any size", () => {
  fc.assert(fc.property(fc.array(message), fc.array(fc.integer({ min: 1, max: 700 })), (messages, cuts) => {
    const stream = messages.flatMap((one) => [...frameMessage(one)]);
    const assembler = new MessageAssembler(2000);
    const out: ByteBlocks[] = [];
    for (let at = 0, i = 0; at < stream.length; i++) {
      const size = cuts.length === 0 ? 1 : cuts[i % cuts.length]!;
      assert.equal(assembler.push(Uint8Array.from(stream.slice(at, at + size)), out), null);
      at += size;
    }
    assert.deepEqual(out.map((one) => [...one.toBytes()]), messages.map((one) => [...one]));
    assert.equal(assembler.midMessage, false);
  }));
});

Deno.test("message frames: a message of several blocks", () => {
  const bytes = new Uint8Array(2 * BLOCK_SIZE + 3).map((_, i) => i * 31);
  const assembler = new MessageAssembler(bytes.length);
  const out: ByteBlocks[] = [];
  const framed = frameMessage(bytes);
  for (let at = 0; at < framed.length; at += 16_384) assembler.push(framed.subarray(at, at + 16_384), out);
  assert.equal(out.length, 1);
  assert.deepEqual(out[0]!.toBytes(), bytes);
});

Deno.test("message frames: chunks are copied", () => {
  const chunk = frameMessage(Uint8Array.of(1, 2, 3));
  const out: ByteBlocks[] = [];
  new MessageAssembler(10).push(chunk, out);
  chunk.fill(0);
  assert.deepEqual(out[0]!.toBytes(), Uint8Array.of(1, 2, 3));
});

const refusals: readonly [what: string, prefix: number[], expected: RegExp][] = [
  [
    "one byte too long",
    [0, 0, 0, 0, 11],
    /^ResourceExhausted message of 11 bytes is longer than the limit of 10 bytes$/,
  ],
  ["4 GB", [0, 255, 255, 255, 255], /^ResourceExhausted message of 4294967295 bytes/],
  ["compressed", [1, 0, 0, 0, 1], /^Internal message with flag 1: compression was not offered$/],
  ["an unknown flag", [200, 0, 0, 0, 1], /^Internal message with flag 200/],
];

for (const [what, prefix, expected] of refusals) {
  Deno.test(`message frames: refused after the prefix: ${what}`, () => {
    const assembler = new MessageAssembler(10);
    const out: ByteBlocks[] = [];
    assert.equal(assembler.push(Uint8Array.from(prefix.slice(0, 4)), out), null);
    assert.equal(assembler.midMessage, true);
    const error = assembler.push(Uint8Array.from(prefix.slice(4)), out);
    assert.ok(error !== null);
    assert.match(`${codeName(error.code)} ${error.message}`, expected);
    assert.deepEqual(out, []);
  });
}

Deno.test("message frames: a message in one-byte chunks takes memory for its bytes only", () => {
  const assembler = new MessageAssembler(1 << 20);
  const out: ByteBlocks[] = [];
  const framed = frameMessage(new Uint8Array(300_000));
  const before = Deno.memoryUsage().external;
  for (let i = 0; i < framed.length; i++) assembler.push(framed.subarray(i, i + 1), out);
  assert.equal(out[0]!.length, 300_000);
  assert.ok(Deno.memoryUsage().external - before < 5_000_000, "memory grows with the number of chunks");
});
