/** Messages in a TCP stream, each behind its length of two bytes (RFC 1035 §4.2.2). */
import { type Duplex, FAILED } from "../net/duplex.ts";
import { MAX_MESSAGE, putWord, word } from "./wire.ts";

const PREFIX = 2;
/** Most messages are smaller; a reader that got more than this keeps it only while a message is incomplete. */
const READ_SIZE = 4096;

/** One for all connections of the isolate: its bytes are taken out of it before the next read. */
const scratch = new Uint8Array(READ_SIZE);
const NOTHING = new Uint8Array(0);

/** A message with its length before it. */
export function framed(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(PREFIX + message.length);
  putWord(frame, 0, message.length);
  frame.set(message, PREFIX);
  return frame;
}

/** Puts messages together as their bytes come. Holds what has come of them, never what was announced. */
export class FrameReader {
  #held: Uint8Array = NOTHING;
  #start = 0;
  #end = 0;

  /** Bytes of an incomplete message, or of messages not yet taken. */
  get size(): number {
    return this.#end - this.#start;
  }

  /** One read of at most a few kilobytes. Returns how many came, or `FAILED`. */
  readFrom(duplex: Duplex): number {
    const count = duplex.read(scratch);
    if (count !== FAILED) this.push(scratch.subarray(0, count));
    return count;
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#makeRoom(bytes.length);
    this.#held.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** The next message, lent until the next call of anything here; null while there is no whole one. */
  next(): Uint8Array | null {
    if (this.size === 0) this.clear();
    if (this.size < PREFIX) return null;
    const length = word(this.#held, this.#start);
    if (this.size < PREFIX + length) return null;
    const from = this.#start + PREFIX;
    this.#start = from + length;
    return this.#held.subarray(from, from + length);
  }

  /** What has come and was not taken, a copy; nothing is held then. */
  takeRest(): Uint8Array {
    const rest = this.#held.slice(this.#start, this.#end);
    this.clear();
    return rest;
  }

  clear(): void {
    this.#held = NOTHING;
    this.#start = this.#end = 0;
  }

  #makeRoom(more: number): void {
    if (this.#end + more <= this.#held.length) return;
    const needed = this.size + more;
    const old = this.#held.subarray(this.#start, this.#end);
    // Doubling, so that a message that comes byte by byte is not copied each time.
    if (needed > this.#held.length) {
      this.#held = new Uint8Array(Math.max(needed, Math.min(2 * needed, PREFIX + MAX_MESSAGE + READ_SIZE)));
      this.#held.set(old);
    } else this.#held.copyWithin(0, this.#start, this.#end);
    this.#start = 0;
    this.#end = old.length;
  }
}
