/** The free buffers of one size, last in, first out. */
export class FreeList {
  readonly #free: Uint8Array<ArrayBuffer>[] = [];
  /** The fewest buffers that were free since the last {@link FreeList.dropUnused}. */
  #unused = 0;

  get length(): number {
    return this.#free.length;
  }

  /** Removes and returns a buffer; undefined: none is free. */
  take(): Uint8Array<ArrayBuffer> | undefined {
    const buffer = this.#free.pop();
    if (this.#free.length < this.#unused) this.#unused = this.#free.length;
    return buffer;
  }

  put(buffer: Uint8Array<ArrayBuffer>): void {
    this.#free.push(buffer);
  }

  /** Removes buffers that were not used since the last call, `most` at most, and passes each to `drop`. */
  dropUnused(most: number, drop: (buffer: Uint8Array<ArrayBuffer>) => void): void {
    for (let i = Math.min(most, this.#unused); i > 0; i--) drop(this.#free.pop()!);
    this.#unused = this.#free.length;
  }
}
