import { strict as assert } from "node:assert";
import { openLibc } from "./libc.ts";
import { pointAt, pointerTo, withPointer } from "./pointers.ts";

const { malloc_trim } = openLibc({ malloc_trim: { parameters: ["u32"], result: "i32" } });

function read(address: bigint, length: number): number[] {
  const pointer = Deno.UnsafePointer.create(address)!;
  return [...new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, length).slice(0))];
}

function pointerIn(structure: Uint8Array, offset: number): bigint {
  return new DataView(structure.buffer, structure.byteOffset).getBigUint64(offset, true);
}

/** Makes enough garbage for the collector to run, and starts it directly where that is possible. */
function collect(): void {
  for (let i = 0; i < 200; i++) new Uint8Array(1 << 20).fill(i, 0, 4096);
  malloc_trim(0);
}

Deno.test("pointers: structures and cells point at the given memory, also inside of a buffer", () => {
  const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6);
  assert.deepEqual(read(pointerIn(pointerTo(bytes.subarray(2)), 0), 3), [3, 4, 5]);
  const structure = new Uint8Array(40);
  pointAt(structure.subarray(8), 16, bytes.subarray(1));
  assert.deepEqual(read(pointerIn(structure, 24), 2), [2, 3]);
});

Deno.test("pointers: the memory that a structure points at lives as long as the structure", () => {
  const structure = new Uint8Array(16);
  for (const offset of [0, 8]) pointAt(structure, offset, new Uint8Array(4096).fill(7 + offset));
  const cells = Array.from({ length: 100 }, (_, i) => pointerTo(new Uint8Array(4096).fill(i)));
  collect();
  for (const offset of [0, 8]) assert.deepEqual(read(pointerIn(structure, offset), 2), [7 + offset, 7 + offset]);
  for (const [i, cell] of cells.entries()) assert.deepEqual(read(pointerIn(cell, 0), 4096), Array(4096).fill(i));
});

Deno.test("pointers: memory lives until the function that was called with its address returns or throws", () => {
  const outcome = withPointer(new Uint8Array(4096).fill(9), (outer) => {
    assert.throws(() =>
      withPointer(new Uint8Array(16), () => {
        throw new Error("inside");
      }), /inside/);
    collect();
    return read(Deno.UnsafePointer.value(outer), 4096);
  });
  assert.deepEqual(outcome, Array(4096).fill(9));
});
