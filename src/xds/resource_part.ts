/**
 * The format in which checked resources are passed to the workers, in memory that all isolates share: the main isolate
 * writes it once, whatever the number of workers.
 *
 * Workloads and services stay where main has written them (`mesh/records`), and a part says where. Policies are packed
 * into memory that is used again:
 *
 *     record: kind u8 │ length of name u32 │ length of body u32 │ name, UTF-8 │ body
 *
 * Numbers are in network order.
 */
import { Buffer } from "node:buffer";
import type { Location, MeshChange, RecordChange } from "../mesh/model/changes.ts";
import { NOWHERE } from "../mesh/records/record_memory.ts";
import type { ADDRESS_TYPE, AUTHORIZATION_TYPE } from "./resources.ts";

/** Workloads and services. */
export interface AddressPayload {
  readonly type: typeof ADDRESS_TYPE;
  /** Segments that are new or gone, and new texts. */
  readonly memory: readonly RecordChange[];
  /**
   * Pairs of numbers, in the order of the changes: a record and nowhere; two places of a record that was moved; nowhere
   * and the index of a name in {@link removed}.
   */
  readonly steps: Uint32Array;
  readonly removed: readonly string[];
}

/** Policies. */
export interface PolicyPayload {
  readonly type: typeof AUTHORIZATION_TYPE;
  readonly memory: SharedArrayBuffer;
  /** The number of used bytes of {@link memory}. */
  readonly length: number;
}

/** A part of a batch. Each worker acknowledges it (`resources-applied`) before memory is used again. */
export type ResourcePart = (AddressPayload | PolicyPayload) & {
  /** A number that counts from 1 over all batches. */
  readonly sequence: number;
  /** Whether it is the first and the last part of its batch. */
  readonly first: boolean;
  readonly last: boolean;
};

/** One policy in a part. */
export type PartRecord =
  /** `body`: a view of the part. */
  | { readonly kind: "changed"; readonly name: string; readonly body: Uint8Array }
  | { readonly kind: "removed"; readonly name: string };

const CHANGED = 0, REMOVED = 1;
const HEAD = 9;

/** Bytes of a part: about two hundred resources, which a worker applies in a millisecond. */
export const PART_BYTES = 64 * 1024;

/** Writes the policies of one part. */
export class PartWriter {
  readonly memory: SharedArrayBuffer;
  readonly #bytes: Buffer;
  #length = 0;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#bytes = Buffer.from(memory);
  }

  /** The number of bytes written. */
  get length(): number {
    return this.#length;
  }

  /** Appends a record. `body`: null for a removed policy. Returns false where it does not fit. */
  add(name: string, body: Uint8Array | null): boolean {
    const room = this.#bytes.length - this.#length - HEAD - (body?.length ?? 0);
    // A UTF-16 unit takes at most three bytes in UTF-8.
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

  /** Returns the most bytes that {@link add} needs for a record. */
  static sizeOf(name: string, body: Uint8Array | null): number {
    return HEAD + name.length * 3 + (body?.length ?? 0);
  }
}

/** Yields the policies of a part. Their bodies are views of its memory. */
export function* recordsOf(part: PolicyPayload): Generator<PartRecord, void, undefined> {
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

/** Yields the changes of a part with workloads and services. */
export function* addressChanges(part: AddressPayload): Generator<MeshChange, void, undefined> {
  yield* part.memory;
  const { steps, removed } = part;
  for (let i = 0; i < steps.length; i += 2) {
    const first = steps[i]! as Location, second = steps[i + 1]! as Location;
    if (first === NOWHERE) yield { kind: "remove-address", name: removed[second]! };
    else if (second === NOWHERE) yield { kind: "record", at: first };
    else yield { kind: "moved-record", from: first, to: second };
  }
}
