import { strict as assert } from "node:assert";
import fc from "fast-check";
import { O_CLOEXEC } from "./constants.ts";
import { MAX_PARTS, readv, writev } from "./iovec.ts";
import { cString, libc } from "./libc.ts";

Deno.test("parts of a buffer are written and read in order, empty ones too", () => {
  const path = Deno.makeTempFileSync();
  const [writer, reader] = [1, 0].map((flags) => libc.open(cString(path), flags | O_CLOEXEC, 0)) as [number, number];
  const from = Uint8Array.of(9, 1, 2, 3, 9, 9, 4, 0, 0, 0, 0, 9);
  assert.equal(writev(writer, from, Int32Array.of(1, 3, 0, 0, 6, 5), 3), 8);
  const into = new Uint8Array(12).fill(7);
  assert.equal(readv(reader, into.subarray(1), Int32Array.of(8, 3, 0, 5), 2), 8);
  assert.deepEqual(into, Uint8Array.of(7, 4, 0, 0, 0, 0, 7, 7, 7, 1, 2, 3));
  libc.close(writer);
  libc.close(reader);
  Deno.removeSync(path);
});

Deno.test("more parts than a call takes are refused", () => {
  assert.throws(() => writev(-1, new Uint8Array(8), new Int32Array(2 * (MAX_PARTS + 1)), MAX_PARTS + 1), RangeError);
});

Deno.test("no part outside of the buffer reaches the kernel", () => {
  const number = fc.integer({ min: -20, max: 20 });
  fc.assert(fc.property(number, number, (offset, length) => {
    const call = () => readv(-1, new Uint8Array(10), Int32Array.of(offset, length), 1);
    if (offset >= 0 && length >= 0 && offset + length <= 10) assert.equal(call(), -1);
    else assert.throws(call, RangeError);
  }));
});
