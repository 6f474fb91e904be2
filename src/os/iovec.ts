/** struct iovec arrays for readv and writev (`docs/spec/inpod-dns.md` C1). */
import { addressOf, libc } from "./libc.ts";

/** Most parts one call takes; longer lists are the caller's to split. */
export const MAX_PARTS = 64;

const vector = new Uint8Array(16 * MAX_PARTS);
const words = new Uint32Array(vector.buffer);

function fill(bytes: Uint8Array, segments: Int32Array, count: number): void {
  const base = addressOf(bytes);
  for (let i = 0; i < count; i++) {
    const address = base + segments[2 * i]!;
    const word = 4 * i;
    words[word] = address >>> 0;
    words[word + 1] = Math.floor(address / 4294967296);
    words[word + 2] = segments[2 * i + 1]!;
    words[word + 3] = 0;
  }
}

/** readv(2) into (offset, length) parts of one buffer. */
export function readv(fd: number, into: Uint8Array, segments: Int32Array, count: number): number {
  fill(into, segments, count);
  return libc.readv(fd, vector, count);
}

/** writev(2) from (offset, length) parts of one buffer. */
export function writev(fd: number, from: Uint8Array, segments: Int32Array, count: number): number {
  fill(from, segments, count);
  return libc.writev(fd, vector, count);
}
