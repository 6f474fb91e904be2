/** The parts of one type that a worker has received and not applied, decoded in their order. */
import type { MeshChange } from "../mesh/model/changes.ts";
import { policyKey } from "../mesh/model/model.ts";
import type { Decoded } from "../xds/decode.ts";
import { type PartRecord, recordsOf, type ResourcePart } from "../xds/resource_part.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE, type ResourceType } from "../xds/resources.ts";

/** Records between two readings of the clock. */
const RECORDS = 8;

interface PartQueueParts {
  decode(type: ResourceType, name: string, body: Uint8Array): Decoded;
  /** A resource that main has validated cannot be decoded. */
  onError(text: string): void;
}

/** What a step has read. */
interface PartStep {
  readonly changes: readonly MeshChange[];
  /** The part that has been read to its end. */
  readonly ended: ResourcePart | null;
}

/** Main sends a few parts and waits until they are applied. */
export class PartQueue {
  readonly #parts: PartQueueParts;
  readonly #queue: ResourcePart[] = [];
  #records: Iterator<PartRecord, void, undefined> | null = null;

  constructor(parts: PartQueueParts) {
    this.#parts = parts;
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  add(part: ResourcePart): void {
    this.#queue.push(part);
  }

  /** Reads a few records of the first part, or all of a part that is a whole batch. There must be a part. */
  step(): PartStep {
    const part = this.#queue[0]!;
    const records = this.#records ??= recordsOf(part);
    const changes: MeshChange[] = [];
    const most = isWhole(part) ? Infinity : RECORDS;
    while (changes.length < most) {
      const next = records.next();
      if (next.done) {
        this.#queue.shift();
        this.#records = null;
        return { changes, ended: part };
      }
      this.#read(part.type, next.value, changes);
    }
    return { changes, ended: null };
  }

  #read(type: ResourceType, record: PartRecord, into: MeshChange[]): void {
    if (record.kind === "removed") {
      into.push(removal(type, record.name));
      return;
    }
    const decoded = this.#parts.decode(type, record.name, record.body);
    if (decoded.ok) into.push(decoded.change);
    else this.#parts.onError(`${record.name}: ${decoded.reason}`);
  }
}

/** The part is a whole batch. */
export function isWhole(part: ResourcePart): boolean {
  return part.first && part.last;
}

function removal(type: ResourceType, name: string): MeshChange {
  switch (type) {
    case ADDRESS_TYPE:
      return { kind: "remove-address", name };
    case AUTHORIZATION_TYPE:
      return { kind: "remove-policy", key: policyKey(name) };
    default:
      return type satisfies never;
  }
}
