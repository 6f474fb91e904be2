/** Packs checked resources into parts for the workers (`xds/resource_part.ts`). */
import type { MeshChange } from "../../mesh/model/changes.ts";
import { type Location, NOWHERE } from "../../mesh/records/record_memory.ts";
import { SharedRecords } from "../../mesh/state/shared_records.ts";
import { type AddressPayload, PART_BYTES, PartWriter, type PolicyPayload } from "../../xds/resource_part.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE, type RawResource } from "../../xds/resources.ts";

/** Changes of workloads and services in a part. */
const MAX_STEPS = 256;

/** A checked resource. `change`: the decoded `body`. */
export interface Checked extends Pick<RawResource, "name" | "body"> {
  readonly change: MeshChange;
}

/** What a part contains. `release` is called once every worker has applied it. */
interface Packed<P> {
  readonly payload: P;
  release(): void;
}

/** Collects the resources of the next part. */
export interface Packing<P> {
  readonly isEmpty: boolean;
  /** Adds a resource. False: there is no room for it in this part. */
  add(resource: Checked): boolean;
  /** Removes the resource of this name. False: as for {@link add}. */
  remove(name: string): boolean;
  /** Ends the part. `more`: the next part has room for this resource. `last`: the part is the last one of its batch. */
  take(more: Checked | null, last: boolean): Packed<P>;
}

/** Workloads and services: their records are in memory that all isolates share, and a part says where. */
export class AddressPacking implements Packing<AddressPayload> {
  readonly #records: SharedRecords;
  #steps: number[] = [];
  #removed: string[] = [];
  #bytes = 0;

  /** `seed`: of hashes. */
  constructor(seed: number) {
    this.#records = new SharedRecords(seed);
  }

  /** Bytes of the records, and of the memory for them. */
  get bytes(): SharedRecords["bytes"] {
    return this.#records.bytes;
  }

  get isEmpty(): boolean {
    return this.#steps.length === 0;
  }

  get #isFull(): boolean {
    return this.#bytes >= PART_BYTES || this.#steps.length >= 2 * MAX_STEPS;
  }

  add({ change }: Checked): boolean {
    if (this.#isFull) return false;
    if (change.kind !== "workload" && change.kind !== "service") throw new TypeError(`not an address: ${change.kind}`);
    const at = this.#records.put(change);
    this.#bytes += this.#records.sizeOf(at);
    this.#step(at, NOWHERE);
    return true;
  }

  remove(name: string): boolean {
    if (this.#isFull) return false;
    this.#records.remove(name);
    this.#step(NOWHERE, this.#removed.push(name) - 1);
    return true;
  }

  #step(first: Location, second: number): void {
    this.#steps.push(first, second);
  }

  take(_more: Checked | null, last: boolean): Packed<AddressPayload> {
    if (last) { for (const { from, to } of this.#records.compact()) this.#step(from, to); }
    const memory = this.#records.takeMemory();
    const retired = this.#records.takeRetired();
    const steps = Uint32Array.from(this.#steps);
    const payload = { type: ADDRESS_TYPE, memory, steps, removed: this.#removed } as const;
    this.#steps = [];
    this.#removed = [];
    this.#bytes = 0;
    return { payload, release: () => this.#records.release(retired) };
  }
}

/** Policies: packed into memory that is used again. */
export class PolicyPacking implements Packing<PolicyPayload> {
  /** Memory of applied parts. */
  readonly #free: SharedArrayBuffer[] = [];
  #writer = new PartWriter(new SharedArrayBuffer(PART_BYTES));

  get isEmpty(): boolean {
    return this.#writer.length === 0;
  }

  add({ name, body }: Checked): boolean {
    return this.#writer.add(name, body);
  }

  remove(name: string): boolean {
    return this.#writer.add(name, null);
  }

  take(more: Checked | null): Packed<PolicyPayload> {
    const { memory, length } = this.#writer;
    const size = more === null ? 0 : PartWriter.sizeOf(more.name, more.body);
    this.#writer = new PartWriter(
      size > PART_BYTES ? new SharedArrayBuffer(size) : this.#free.pop() ?? new SharedArrayBuffer(PART_BYTES),
    );
    const release = () => {
      if (memory.byteLength === PART_BYTES) this.#free.push(memory);
    };
    return { payload: { type: AUTHORIZATION_TYPE, memory, length }, release };
  }
}
