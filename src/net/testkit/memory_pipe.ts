/** One direction of a connection in memory: a bounded queue of bytes, like the kernel's socket buffers. */
export class MemoryPipe {
  /** Made when it is needed: most tests have many connections and few bytes. */
  #ring: Uint8Array | null = null;
  #head = 0;
  #length = 0;

  constructor(readonly capacity: number) {
    if (!(capacity > 0)) throw new RangeError(`Cannot make a pipe of ${capacity} bytes: at least one is needed`);
  }

  get length(): number {
    return this.#length;
  }

  get free(): number {
    return this.capacity - this.#length;
  }

  /** Adds as many of `bytes` as fit. Returns how many. */
  push(bytes: Uint8Array): number {
    const count = Math.min(bytes.length, this.free);
    const ring = this.#ring ??= new Uint8Array(this.capacity);
    const tail = (this.#head + this.#length) % this.capacity;
    const first = Math.min(count, this.capacity - tail);
    ring.set(bytes.subarray(0, first), tail);
    ring.set(bytes.subarray(first, count), 0);
    this.#length += count;
    return count;
  }

  /** Removes up to `into.length` bytes. Returns how many. */
  pull(into: Uint8Array): number {
    const count = Math.min(into.length, this.#length);
    const ring = this.#ring;
    if (ring === null) return 0;
    const first = Math.min(count, this.capacity - this.#head);
    into.set(ring.subarray(this.#head, this.#head + first), 0);
    into.set(ring.subarray(0, count - first), first);
    this.#head = (this.#head + count) % this.capacity;
    this.#length -= count;
    return count;
  }

  /** Discards all bytes, and the memory. */
  clear(): void {
    this.#ring = null;
    this.#head = 0;
    this.#length = 0;
  }
}
