/** The framing of messages on a gRPC stream: a flag byte, four bytes of length, the message. */
import { BLOCK_SIZE, ByteBlocks } from "./byte_blocks.ts";
import { Code, GrpcError } from "./status.ts";

const PREFIX = 5;

/** Returns the message with its prefix, uncompressed. */
export function frameMessage(message: Uint8Array): Uint8Array {
  const framed = new Uint8Array(PREFIX + message.length);
  new DataView(framed.buffer).setUint32(1, message.length);
  framed.set(message, PREFIX);
  return framed;
}

/**
 * Assembles messages in blocks. The memory is proportional to the received bytes, whatever length was announced and
 * whatever the size of the chunks.
 */
export class MessageAssembler {
  readonly #limit: number;
  readonly #prefix = new Uint8Array(PREFIX);
  /** The number of bytes of the prefix that were received. */
  #prefixed = 0;
  #blocks: Uint8Array[] = [];
  /** The missing bytes of the message, and how many of them fit into the last block. */
  #left = 0;
  #room = 0;

  /** `limit`: the length of the longest accepted message in bytes. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** True where a message has begun and not ended. */
  get midMessage(): boolean {
    return this.#prefixed > 0;
  }

  /** Copies `chunk` and appends complete messages to `out`. Must not be called again after it returned an error. */
  push(chunk: Uint8Array, out: ByteBlocks[]): GrpcError | null {
    for (let at = 0; at < chunk.length;) {
      if (this.#prefixed < PREFIX) {
        this.#prefix[this.#prefixed++] = chunk[at++]!;
        if (this.#prefixed < PREFIX) continue;
        const refusal = this.#begin();
        if (refusal !== null) return refusal;
      } else {
        at += this.#take(chunk, at);
      }
      if (this.#left === 0) this.#complete(out);
    }
    return null;
  }

  #begin(): GrpcError | null {
    if (this.#prefix[0] !== 0) {
      return new GrpcError(Code.Internal, `message with flag ${this.#prefix[0]}: compression was not offered`, "call");
    }
    const length = new DataView(this.#prefix.buffer).getUint32(1);
    if (length > this.#limit) {
      const text = `message of ${length} bytes is longer than the limit of ${this.#limit} bytes`;
      return new GrpcError(Code.ResourceExhausted, text, "call");
    }
    this.#left = length;
    return null;
  }

  #take(chunk: Uint8Array, at: number): number {
    if (this.#room === 0) {
      this.#room = Math.min(this.#left, BLOCK_SIZE);
      this.#blocks.push(new Uint8Array(this.#room));
    }
    const block = this.#blocks.at(-1)!;
    const size = Math.min(chunk.length - at, this.#room);
    block.set(chunk.subarray(at, at + size), block.length - this.#room);
    this.#room -= size;
    this.#left -= size;
    return size;
  }

  #complete(out: ByteBlocks[]): void {
    out.push(new ByteBlocks(this.#blocks));
    this.#blocks = [];
    this.#prefixed = 0;
  }
}
