/**
 * Checked resources on their way to the workers: packed into memory that all isolates share, so that main writes them
 * once, whatever the number of workers, and nobody copies.
 *
 *     record: kind u8 │ length of name u32 │ length of body u32 │ name, UTF-8 │ body
 *
 * Numbers are in network order.
 */
import { Buffer } from "node:buffer";
import type { ResourceType } from "./resources.ts";

/** A piece of a batch. Whoever reads it says so before its memory is used again. */
export interface ResourcePart {
  /** Counted from 1, over all batches. */
  readonly sequence: number;
  readonly type: ResourceType;
  readonly memory: SharedArrayBuffer;
  /** Of {@link memory}, from its start. */
  readonly length: number;
  /** No part of the same batch comes before it, and after it. */
  readonly first: boolean;
  readonly last: boolean;
}

export type PartRecord =
  /** `body`: a view of the part. */
  | { readonly kind: "changed"; readonly name: string; readonly body: Uint8Array }
  | { readonly kind: "removed"; readonly name: string };

const CHANGED = 0, REMOVED = 1;
const HEAD = 9;

/** Bytes of a part: some two hundred resources, which a worker reads and applies in a millisecond or two. */
export const PART_BYTES = 64 * 1024;

/** Fills one piece of memory. */
export class PartWriter {
  readonly memory: SharedArrayBuffer;
  readonly #bytes: Buffer;
  #length = 0;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#bytes = Buffer.from(memory);
  }

  get length(): number {
    return this.#length;
  }

  /** Null as `body`: removed. False: there is no room for it any more. */
  add(name: string, body: Uint8Array | null): boolean {
    const room = this.#bytes.length - this.#length - HEAD - (body?.length ?? 0);
    // No character of a name takes more than three bytes.
    if (room < name.length * 3) return false;
    const head = this.#length;
    const nameLength = this.#bytes.write(name, head + HEAD, "utf8");
    this.#bytes[head] = body === null ? REMOVED : CHANGED;
    this.#bytes.writeUInt32BE(nameLength, head + 1);
    this.#bytes.writeUInt32BE(body?.length ?? 0, head + 5);
    this.#length += HEAD + nameLength;
    if (body !== null) this.#bytes.set(body, this.#length);
    this.#length += body?.length ?? 0;
    return true;
  }

  /** Bytes that {@link add} wants at most. */
  static sizeOf(name: string, body: Uint8Array | null): number {
    return HEAD + name.length * 3 + (body?.length ?? 0);
  }
}

/** The records of a part, made as they are asked for. */
export function* recordsOf(part: ResourcePart): Generator<PartRecord, void, undefined> {
  const bytes = Buffer.from(part.memory);
  for (let at = 0; at < part.length;) {
    const bodyAt = at + HEAD + bytes.readUInt32BE(at + 1);
    const end = bodyAt + bytes.readUInt32BE(at + 5);
    const name = bytes.toString("utf8", at + HEAD, bodyAt);
    const removed = bytes[at] === REMOVED;
    yield removed ? { kind: "removed", name } : { kind: "changed", name, body: bytes.subarray(bodyAt, end) };
    at = end;
  }
}
