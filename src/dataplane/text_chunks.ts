/**
 * Text as UTF-8 in buffers that are handed over to another thread. In the heap each collection would copy what waits
 * there, and then both isolates would copy it.
 */

/** Bytes of a buffer; more where one text is longer. */
const CHUNK = 256 * 1024;
/** Buffers that are kept to be filled again. */
const SPARE_MAX = 4;

/** Collects texts. None is in two buffers. */
export class TextChunks {
  readonly #full: Uint8Array<ArrayBuffer>[] = [];
  #chunk = new Uint8Array(0);
  #used = 0;
  readonly #spare: Uint8Array<ArrayBuffer>[] = [];

  /** Adds a text with what stands before and behind it. */
  add(before: Uint8Array, text: Uint8Array, behind: Uint8Array): void {
    this.#reserve(before.length + text.length + behind.length);
    this.#copy(before);
    this.#chunk.set(text, this.#used);
    this.#used += text.length;
    this.#copy(behind);
  }

  /** All that was added since the last call; the buffers belong to the caller. */
  take(): Uint8Array<ArrayBuffer>[] {
    if (this.#used > 0) this.#end();
    return this.#full.splice(0);
  }

  /** Takes buffers back. */
  recycle(chunks: readonly Uint8Array<ArrayBuffer>[]): void {
    for (const { buffer } of chunks) {
      if (buffer.byteLength === CHUNK && this.#spare.length < SPARE_MAX) this.#spare.push(new Uint8Array(buffer));
    }
  }

  /** For some bytes: `set` takes longer. */
  #copy(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) this.#chunk[this.#used++] = bytes[i]!;
  }

  #reserve(length: number): void {
    if (this.#used + length <= this.#chunk.length) return;
    if (this.#used > 0) this.#end();
    this.#chunk = length <= CHUNK ? this.#spare.pop() ?? new Uint8Array(CHUNK) : new Uint8Array(length);
  }

  #end(): void {
    this.#full.push(this.#chunk.subarray(0, this.#used));
    this.#chunk = new Uint8Array(0);
    this.#used = 0;
  }
}
