/**
 * The records of the main isolate: it writes workloads and services of the control plane into memory that all isolates
 * share, and knows where each of them is. What workers have to do is returned as changes, which they apply in this
 * order. A record that was replaced or removed is read by workers until they have applied the changes behind it, so its
 * memory is used again only after {@link SharedRecords.release}.
 */
import type { RecordChange, ServiceChange, WorkloadChange } from "../model/changes.ts";
import { parseNamespacedHostname } from "../model/model.ts";
import { RecordArena } from "../records/record_arena.ts";
import { HEAD, IS_SERVICE, type Location, RecordMemory, type Segment } from "../records/record_memory.ts";
import { RecordReader } from "../records/record_reader.ts";
import { RecordWriter } from "../records/record_writer.ts";
import { writeService } from "../records/service_record.ts";
import { writeWorkload } from "../records/workload_record.ts";
import { TextTable } from "../records/text_table.ts";
import { RecordTable } from "./record_table.ts";

/** Memory that tells which of its segments have changed. */
class WatchedMemory extends RecordMemory {
  changed = new Map<number, SharedArrayBuffer | null>();

  override set(number: number, segment: Segment | null): void {
    super.set(number, segment);
    this.changed.set(number, segment === null ? null : segment.words.buffer as SharedArrayBuffer);
  }
}

/** The only writer of the shared memory. */
export class SharedRecords {
  readonly #seed: number;
  readonly #memory = new WatchedMemory();
  readonly #arena = new RecordArena(this.#memory, "shared");
  readonly #texts = new TextTable();
  readonly #writer = new RecordWriter(this.#texts);
  readonly #workloads: RecordTable<never>;
  readonly #services: RecordTable<never>;
  #retired: Location[] = [];

  /** `seed`: of hashes, that of the workers' states. */
  constructor(seed: number) {
    this.#seed = seed;
    const reader = new RecordReader(this.#memory);
    this.#workloads = new RecordTable<never>(reader, seed, neverRead);
    this.#services = new RecordTable<never>(reader, seed, neverRead);
  }

  /** Bytes of segments, and of records in them. */
  get bytes(): RecordArena["bytes"] {
    return this.#arena.bytes;
  }

  /** Writes a workload or a service. Returns its record. */
  put(change: WorkloadChange | ServiceChange): Location {
    const isWorkload = change.kind === "workload";
    const table = isWorkload ? this.#workloads : this.#services;
    const bytes = isWorkload
      ? writeWorkload(this.#writer, this.#seed, change)
      : writeService(this.#writer, this.#seed, change.service);
    const at = this.#arena.add(bytes);
    const old = table.findLike(at);
    if (old >= 0) this.#retire(table, old);
    table.add(at);
    return at;
  }

  /** The bytes of a record. */
  sizeOf(at: Location): number {
    return this.#memory.head(at, HEAD.units) * 8;
  }

  /** Removes the workload with this uid, else the service with this key. */
  remove(name: string): void {
    const workload = this.#workloads.find(name);
    if (workload >= 0) return this.#retire(this.#workloads, workload);
    const key = parseNamespacedHostname(name)?.key;
    const service = key === undefined ? -1 : this.#services.find(key);
    if (service >= 0) this.#retire(this.#services, service);
  }

  #retire(table: RecordTable<never>, id: number): void {
    const at = table.location(id);
    table.remove(id);
    this.#arena.retire(at);
    this.#retired.push(at);
  }

  /** Moves some records where much memory is lost. */
  compact(): readonly { readonly from: Location; readonly to: Location }[] {
    const moved: { from: Location; to: Location }[] = [];
    this.#arena.compact((from, to) => {
      const isService = (this.#memory.head(to, HEAD.flags) & IS_SERVICE) !== 0;
      (isService ? this.#services : this.#workloads).moved(from, to);
      this.#arena.retire(from);
      this.#retired.push(from);
      moved.push({ from, to });
    });
    return moved;
  }

  /** Returns the segments and texts that are new since the last call: workers need them before the records. */
  takeMemory(): RecordChange[] {
    const { changed } = this.#memory;
    this.#memory.changed = new Map();
    const changes: RecordChange[] = [...changed].map(([number, memory]) => ({ kind: "segment", number, memory }));
    const texts = this.#texts.takeAdded();
    if (texts.length > 0) changes.push({ kind: "texts", texts });
    return changes;
  }

  /** Returns the records that were replaced, removed or moved since the last call, for {@link release}. */
  takeRetired(): readonly Location[] {
    const retired = this.#retired;
    this.#retired = [];
    return retired;
  }

  /** No worker reads these records any more. */
  release(retired: readonly Location[]): void {
    for (const at of retired) this.#arena.release(at);
  }
}

function neverRead(): never {
  throw new Error("The main isolate does not decode records");
}
