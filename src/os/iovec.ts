/** struct iovec arrays for readv and writev (`docs/spec/inpod-dns.md` C1). */
import { libc } from "./libc_sockets.ts";
import { addressOf } from "./pointers.ts";

/** The most parts of one call. Callers divide longer lists. */
export const MAX_PARTS = 64;

const vector = new Uint8Array(16 * MAX_PARTS);
const words = new Uint32Array(vector.buffer);
/** Keeps the memory alive whose address is in the vector, while the kernel uses it. */
const inUse: { bytes: Uint8Array | null } = { bytes: null };

/** Throws a RangeError for parts outside of `bytes`: the kernel would write there. */
function fill(bytes: Uint8Array, segments: Int32Array, count: number): void {
  if (count > MAX_PARTS) throw new RangeError(`Cannot pass ${count} parts to one call: ${MAX_PARTS} is the most`);
  inUse.bytes = bytes;
  const base = addressOf(bytes);
  for (let i = 0; i < count; i++) {
    const offset = segments[2 * i]!, length = segments[2 * i + 1]!;
    if (offset < 0 || length < 0 || offset + length > bytes.length) {
      throw new RangeError(`Part ${i} (${offset}, ${length}) is not within the ${bytes.length} bytes of the buffer`);
    }
    const address = base + offset;
    const word = 4 * i;
    words[word] = address >>> 0;
    words[word + 1] = Math.floor(address / 4294967296);
    words[word + 2] = length;
    words[word + 3] = 0;
  }
}

/** readv(2) into (offset, length) parts of one buffer. Returns its result; below zero: `errno()` says why. */
export function readv(fd: number, into: Uint8Array, segments: Int32Array, count: number): number {
  fill(into, segments, count);
  const result = libc.readv(fd, vector, count);
  inUse.bytes = null;
  return result;
}

/** writev(2) from (offset, length) parts of one buffer. Returns its result; below zero: `errno()` says why. */
export function writev(fd: number, from: Uint8Array, segments: Int32Array, count: number): number {
  fill(from, segments, count);
  const result = libc.writev(fd, vector, count);
  inUse.bytes = null;
  return result;
}
