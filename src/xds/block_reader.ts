/** Reads the protobuf fields of a message in blocks, without copying it (https://protobuf.dev/programming-guides/encoding). */
import type { ByteBlocks } from "../grpc/byte_blocks.ts";

/** The bytes are not a valid protobuf message. */
export class WireError extends Error {
  override readonly name = "WireError";
}

const VARINT = 0, FIXED64 = 1, BYTES = 2, GROUP = 3, GROUP_END = 4, FIXED32 = 5;
const MAX_TAG = 0xffffffff;
const MAX_GROUPS = 100;
/** The longest accepted name, version or type URL, in bytes. */
const MAX_TEXT = 64 * 1024;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Iterates over the fields of a message. After {@link next}, `start` and `end` are the bounds of the content of a
 * length-delimited field, `from` and `to` those of the whole field. All methods throw {@link WireError}.
 */
export class BlockReader {
  readonly #bytes: ByteBlocks;
  readonly #limit: number;
  #at: number;
  #field = 0;
  #wireType = 0;
  start = 0;
  end = 0;
  from = 0;

  constructor(bytes: ByteBlocks, start: number, limit: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#limit = limit;
  }

  /** Moves to the next field; returns false at the end of the message. */
  next(): boolean {
    if (this.#at >= this.#limit) return false;
    this.from = this.#at;
    const tag = this.#tag();
    this.#field = tag >>> 3;
    this.#wireType = tag & 7;
    this.#skip(this.#wireType, this.#field, 0);
    return true;
  }

  /** The end of the current field. */
  get to(): number {
    return this.#at;
  }

  /** Returns whether the current field has this number and the wire type of text, bytes or a message. */
  isBytes(field: number): boolean {
    return this.#field === field && this.#wireType === BYTES;
  }

  /** Returns a reader of the message in the current field. */
  nested(): BlockReader {
    return new BlockReader(this.#bytes, this.start, this.end);
  }

  /** Returns the content as text of at most 64 KB. */
  text(): string {
    this.#checkLength();
    const ascii = this.#bytes.ascii(this.start, this.end);
    if (ascii !== null) return ascii;
    const bytes = this.#bytes.slice(this.start, this.end);
    try {
      return decoder.decode(bytes);
    } catch {
      throw new WireError("text is not UTF-8");
    }
  }

  /** Throws like {@link text}, but creates no string for ASCII. */
  checkText(): void {
    this.#checkLength();
    for (let at = this.start; at < this.end; at++) if (this.#bytes.at(at) >= 0x80) return void this.text();
  }

  #checkLength(): void {
    const length = this.end - this.start;
    if (length > MAX_TEXT) throw new WireError(`text of ${length} bytes is longer than ${MAX_TEXT}`);
  }

  #skip(wireType: number, field: number, depth: number): void {
    switch (wireType) {
      case VARINT:
        this.#varint();
        break;
      case FIXED64:
        this.#advance(8);
        break;
      case BYTES: {
        const length = this.#varint();
        this.start = this.#at;
        this.#advance(length);
        this.end = this.#at;
        break;
      }
      case GROUP:
        this.#skipGroup(field, depth);
        break;
      case FIXED32:
        this.#advance(4);
        break;
      default:
        throw new WireError(`invalid wire type ${wireType}`);
    }
  }

  #skipGroup(field: number, depth: number): void {
    if (depth >= MAX_GROUPS) throw new WireError("groups are nested too deep");
    for (;;) {
      if (this.#at >= this.#limit) throw new WireError("group without an end");
      const tag = this.#tag();
      if ((tag & 7) === GROUP_END) {
        if (tag >>> 3 !== field) throw new WireError("group with the end of another");
        return;
      }
      this.#skip(tag & 7, tag >>> 3, depth + 1);
    }
  }

  #tag(): number {
    const tag = this.#varint();
    if (tag < 8 || tag > MAX_TAG) throw new WireError(`invalid tag ${tag}`);
    return tag;
  }

  #advance(length: number): void {
    if (length > this.#limit - this.#at) throw new WireError("field is longer than its message");
    this.#at += length;
  }

  /** The result is exact up to 2^53. Throws for more than ten bytes. */
  #varint(): number {
    let value = 0, scale = 1;
    for (let i = 0; i < 10; i++) {
      if (this.#at >= this.#limit) throw new WireError("message ends in the middle of a number");
      const byte = this.#bytes.at(this.#at++);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw new WireError("number of more than ten bytes");
  }
}
