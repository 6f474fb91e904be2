/** DNS messages in a TCP stream, each preceded by its length in two bytes (RFC 1035 §4.2.2). */
import { type Duplex, FAILED } from "../net/duplex.ts";
import { MAX_MESSAGE, putWord, word } from "./wire.ts";

const PREFIX = 2;
/** Bytes per read. Most messages are smaller; a reader holds more only while a message is incomplete. */
const READ_SIZE = 4096;

/** Shared by all connections of the isolate: its bytes are copied before the next read. */
const scratch = new Uint8Array(READ_SIZE);
const NOTHING = new Uint8Array(0);

/** The message, preceded by its length. */
export function framed(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(PREFIX + message.length);
  putWord(frame, 0, message.length);
  frame.set(message, PREFIX);
  return frame;
}

/**
 * Assembles messages from the bytes of a stream. Its memory grows with the bytes received, not with the announced
 * length.
 */
export class FrameReader {
  #held: Uint8Array = NOTHING;
  #start = 0;
  #end = 0;

  /** Bytes received and not yet returned. */
  get size(): number {
    return this.#end - this.#start;
  }

  /** Reads once, a few kilobytes at most. Returns the number of bytes, or `FAILED`. */
  readFrom(duplex: Duplex): number {
    const count = duplex.read(scratch);
    if (count !== FAILED) this.push(scratch.subarray(0, count));
    return count;
  }

  /** Adds bytes of the stream; they are copied. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#makeRoom(bytes.length);
    this.#held.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** The next complete message, lent until the next call of any method; null: there is none yet. */
  next(): Uint8Array | null {
    if (this.size === 0) this.clear();
    if (this.size < PREFIX) return null;
    const length = word(this.#held, this.#start);
    if (this.size < PREFIX + length) return null;
    const from = this.#start + PREFIX;
    this.#start = from + length;
    return this.#held.subarray(from, from + length);
  }

  /** Removes and returns the bytes that were received and not returned. */
  takeRest(): Uint8Array {
    const rest = this.#held.slice(this.#start, this.#end);
    this.clear();
    return rest;
  }

  /** Drops all bytes. */
  clear(): void {
    this.#held = NOTHING;
    this.#start = this.#end = 0;
  }

  #makeRoom(more: number): void {
    if (this.#end + more <= this.#held.length) return;
    const needed = this.size + more;
    const old = this.#held.subarray(this.#start, this.#end);
    // Doubles, so that a message received byte by byte is not copied for each byte.
    if (needed > this.#held.length) {
      this.#held = new Uint8Array(Math.max(needed, Math.min(2 * needed, PREFIX + MAX_MESSAGE + READ_SIZE)));
      this.#held.set(old);
    } else this.#held.copyWithin(0, this.#start, this.#end);
    this.#start = 0;
    this.#end = old.length;
  }
}
