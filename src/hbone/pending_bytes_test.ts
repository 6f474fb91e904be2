import { strict as assert } from "node:assert";
import fc from "fast-check";
import { MemoryNetwork } from "../net/testkit/memory_network.ts";
import { FAILED } from "../net/duplex.ts";
import { BLOCK, BlockPool, SMALL_BLOCK } from "../net/block_pool.ts";
import { PendingBytes } from "./pending_bytes.ts";

const IDLE = { onReadable() {}, onWritable() {}, onFailure() {} };

function pipe(bufferBytes: number) {
  const network = new MemoryNetwork({ bufferBytes });
  const [to, from] = network.pair();
  to.start(IDLE);
  from.start(IDLE);
  const into = new Uint8Array(bufferBytes);
  return { to, from, read: () => [...into.subarray(0, from.read(into))] };
}

Deno.test("pending bytes are written in order, whatever their sizes and those of the writes", () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 5000 }), { maxLength: 30 });
  fc.assert(fc.property(sizes, fc.integer({ min: 1, max: 3000 }), (parts, room) => {
    const { to, read } = pipe(room);
    const pending = new PendingBytes(new BlockPool());
    const expected: number[] = [], got: number[] = [];
    let next = 0;
    for (const size of parts) {
      const bytes = Uint8Array.from({ length: size + 2 }, () => next++ & 255);
      pending.add(bytes, 1, size + 1);
      expected.push(...bytes.subarray(1, size + 1));
      const before = pending.length;
      assert.equal(before - pending.writeTo(to), pending.length);
      got.push(...read());
    }
    while (pending.length > 0) {
      pending.writeTo(to);
      got.push(...read());
    }
    assert.deepEqual(got, expected);
  }));
});

Deno.test("pending bytes can be read in order, in pieces of any size", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 5000 }), { maxLength: 30 });
  fc.assert(fc.property(sizes, fc.integer({ min: 1, max: 3000 }), (parts, most) => {
    const pending = new PendingBytes(new BlockPool());
    const expected: number[] = [], got: number[] = [];
    const into = new Uint8Array(most);
    const take = () => got.push(...into.subarray(0, pending.readInto(into)));
    let next = 0;
    for (const size of parts) {
      const bytes = Uint8Array.from({ length: size }, () => next++ & 255);
      pending.add(bytes, 0, size);
      expected.push(...bytes);
      take();
      assert.equal(pending.length, expected.length - got.length);
    }
    while (pending.length > 0) take();
    assert.deepEqual(got, expected);
    assert.deepEqual([pending.readInto(into), pending.allocated], [0, 0]);
  }));
});

Deno.test("observed O26 pending bytes take little more memory than their number, however small the pieces", () => {
  const pending = new PendingBytes(new BlockPool());
  const piece = Uint8Array.of(0, 7, 0);
  for (let i = 0; i < 1_000_000; i++) pending.add(piece, 1, 2);
  assert.equal(pending.length, 1_000_000);
  assert.ok(pending.allocated <= 1_100_000, `${pending.allocated} bytes allocated`);
});

Deno.test("pending bytes are copies, and clear() drops them", () => {
  const { to, read } = pipe(100);
  const pending = new PendingBytes(new BlockPool());
  const lent = Uint8Array.of(1, 2, 3);
  pending.add(lent, 0, 3);
  lent.fill(9);
  assert.equal(pending.writeTo(to), 3);
  assert.deepEqual(read(), [1, 2, 3]);
  pending.add(lent, 0, 3);
  pending.clear();
  assert.deepEqual([pending.length, pending.writeTo(to), pending.allocated], [0, 0, 0]);
});

Deno.test("blocks of a few bytes are used again, and a few of them are kept", () => {
  const pool = new BlockPool(), pending = new PendingBytes(pool);
  const block = pool.borrowFor(1), into = new Uint8Array(SMALL_BLOCK);
  pool.giveBack(block);
  for (const size of [1, 100, SMALL_BLOCK]) {
    pending.add(new Uint8Array(size).fill(size), 0, size);
    assert.equal(block[size - 1], size & 255);
    assert.equal(pending.readInto(into), size);
  }
  pending.add(into, 0, 1);
  assert.notEqual(pool.borrowFor(1), block);
  pending.clear();
  assert.equal(pool.borrowFor(1), block);
  const many = Array.from({ length: 1000 }, () => pool.borrowFor(1));
  for (const each of many) pool.giveBack(each);
  assert.notEqual(pool.borrowFor(1), many.at(-1));
});

Deno.test("bytes that do not fill a block have one of their own while few blocks are lent", () => {
  const pool = new BlockPool();
  const queues = Array.from({ length: 1000 }, () => new PendingBytes(pool));
  for (const pending of queues) pending.add(new Uint8Array(5000), 0, 5000);
  const sizes = queues.map(({ allocated }) => allocated);
  assert.deepEqual(sizes, [...Array(8).fill(BLOCK), ...Array(992).fill(5000)]);
  for (const pending of queues) pending.clear();
  assert.equal(pool.freeCount, 8);
  queues[0]!.add(new Uint8Array(5000), 0, 5000);
  assert.equal(pool.freeCount, 7);
});

Deno.test("blocks of bulk are returned to the pool, blocks of a few bytes are no part of that", () => {
  const { to, read } = pipe(BLOCK);
  const pool = new BlockPool();
  const pending = new PendingBytes(pool);
  pending.add(new Uint8Array(3 * BLOCK), 0, 3 * BLOCK);
  assert.equal(pending.allocated, 3 * BLOCK);
  assert.equal(pending.writeTo(to), BLOCK);
  assert.equal(pool.freeCount, 1);
  pending.add(new Uint8Array(BLOCK), 0, BLOCK);
  assert.equal(pool.freeCount, 0);
  read();
  pending.clear();
  assert.equal(pool.freeCount, 3);
  pending.add(Uint8Array.of(1), 0, 1);
  pending.clear();
  assert.equal(pool.freeCount, 3);
});

Deno.test("pending bytes for a stream that has failed", () => {
  const { to } = pipe(100);
  const pending = new PendingBytes(new BlockPool());
  pending.add(Uint8Array.of(1), 0, 1);
  to.close();
  assert.equal(pending.writeTo(to), FAILED);
});
