/** Reads the string literals of header blocks. */
import { compressionFault, type HpackFault } from "./fault.ts";
import { decodeHuffman, decodingRoom } from "./huffman.ts";
import { type Cursor, readInteger } from "./integer.ts";
import { readLatin1 } from "./latin1.ts";

const HUFFMAN_FLAG = 0x80;
const LENGTH_MASK = 0x7f;

// Decoded bytes are used before the next literal is read, so all connections of the isolate share one buffer.
// Strings that are longer get a buffer of their own.
const scratch = new Uint8Array(4096);

const CUT_OFF = compressionFault("header block ends inside a field");
const BAD_LENGTH = compressionFault("string length out of range");
const BAD_HUFFMAN = compressionFault("invalid Huffman string");

/** Reads string literals (RFC 7541 §5.2) from a header block. After a read, `source[start, stop)` is the string. */
export class LiteralReader implements Cursor {
  bytes: Uint8Array = scratch;
  at = 0;
  end = 0;

  source: Uint8Array = scratch;
  start = 0;
  stop = 0;

  /** Starts reading `bytes[start, end)`. */
  reset(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  /** Drops the references to the block and to a long string. */
  release(): void {
    this.bytes = scratch;
    this.source = scratch;
  }

  /** Length of the last literal, in octets and characters. */
  get length(): number {
    return this.stop - this.start;
  }

  /** Reads the next literal. Null: there was no fault. */
  read(): HpackFault | null {
    if (this.at >= this.end) return CUT_OFF;
    const coded = (this.bytes[this.at] as number) >= HUFFMAN_FLAG;
    const length = readInteger(this, LENGTH_MASK);
    if (length < 0) return BAD_LENGTH;
    const start = this.at;
    if (length > this.end - start) return CUT_OFF;
    this.at += length;
    if (coded) return this.#decode(start);
    this.source = this.bytes;
    this.start = start;
    this.stop = this.at;
    return null;
  }

  /** The last literal as text. */
  text(): string {
    return readLatin1(this.source, this.start, this.stop);
  }

  #decode(start: number): HpackFault | null {
    const room = decodingRoom(this.at - start);
    this.source = room <= scratch.length ? scratch : new Uint8Array(room);
    this.start = 0;
    this.stop = decodeHuffman(this.bytes, start, this.at, this.source);
    return this.stop < 0 ? BAD_HUFFMAN : null;
  }
}
