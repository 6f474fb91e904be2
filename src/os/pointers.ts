/**
 * Addresses of our own memory, for foreign code. The garbage collector does not know that an address is in use, so code
 * that passes one on must keep the memory alive: each function here does. No other file may take an address (lint:
 * `rooms/pointer`).
 */

/** Memory whose address is in a structure for foreign code, by offset in it. It lives as long as the structure. */
const targets = new WeakMap<ArrayBufferLike, Map<number, ArrayBufferLike>>();
const addresses = new WeakMap<ArrayBufferLike, number>();
/** Memory that foreign code uses at this moment. */
let inUse: unknown = null;

/**
 * Calls `use` with the address of the first byte of `bytes`, which stay alive until `use` returns. The address must not
 * be used afterwards.
 */
export function withPointer<T>(bytes: Uint8Array, use: (pointer: Deno.PointerValue) => T): T {
  const before = inUse;
  inUse = [before, bytes];
  try {
    return use(Deno.UnsafePointer.of(bytes as Uint8Array<ArrayBuffer>));
  } finally {
    inUse = before;
  }
}

/**
 * Writes the address of `target`'s first byte into `structure`, at `offset`, as a pointer of 64 bits. `target` stays
 * alive as long as `structure`, or until another address is written to the same place.
 */
export function pointAt(structure: ArrayBufferView, offset: number, target: ArrayBufferView): void {
  const at = structure.byteOffset + offset;
  new DataView(structure.buffer).setBigUint64(at, BigInt(addressOf(target)), true);
  let held = targets.get(structure.buffer);
  if (held === undefined) targets.set(structure.buffer, held = new Map());
  held.set(at, target.buffer);
}

/** A `const unsigned char **` argument: a cell that holds the address of `bytes`, and keeps them alive. */
export function pointerTo(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const cell = new Uint8Array(8);
  pointAt(cell, 0, bytes);
  return cell;
}

/**
 * The address of a view's first byte, as a number. Backing stores do not move, so the address is cached. It does not
 * keep the memory alive: it is only for code that writes many addresses of memory that it holds itself, in a field or
 * in a variable of its module, until the foreign call has returned (`ADDRESS_FILES` in `tools/lint/plugin.ts`).
 */
export function addressOf(view: ArrayBufferView): number {
  let base = addresses.get(view.buffer);
  if (base === undefined) {
    const whole = new Uint8Array(view.buffer as ArrayBuffer);
    base = Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(whole)));
    addresses.set(view.buffer, base);
  }
  return base + view.byteOffset;
}
