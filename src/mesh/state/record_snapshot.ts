/**
 * The records of a table as they were at one moment. Nothing is copied but their numbers: a value is kept when its
 * record is about to be removed. {@link RecordSnapshot.close} ends that.
 */
import { NOWHERE } from "../records/record_memory.ts";

/** The table. */
interface Records<V> {
  key(id: number): string;
  /** The value, decoded. */
  read(id: number): V;
  closed(snapshot: RecordSnapshot<V>): void;
}

interface Kept<V> {
  readonly key: string;
  readonly value: V;
}

/** Made by a table. */
export class RecordSnapshot<V> {
  readonly #records: Records<V>;
  /** By number; nowhere: not part of the snapshot. */
  readonly #locations: Uint32Array;
  readonly #kept = new Map<number, Kept<V>>();

  constructor(records: Records<V>, locations: Uint32Array) {
    this.#records = records;
    this.#locations = locations;
  }

  /** The numbers of all records. */
  ids(): number[] {
    const ids: number[] = [];
    for (const [id, at] of this.#locations.entries()) if (at !== NOWHERE) ids.push(id);
    return ids;
  }

  /** The record is about to be removed. */
  keep(id: number): void {
    if ((this.#locations[id] ?? NOWHERE) === NOWHERE || this.#kept.has(id)) return;
    this.#kept.set(id, { key: this.#records.key(id), value: this.#records.read(id) });
  }

  key(id: number): string {
    return this.#kept.get(id)?.key ?? this.#records.key(id);
  }

  value(id: number): V {
    return this.#kept.get(id)?.value ?? this.#records.read(id);
  }

  /** Values are not kept any more. */
  close(): void {
    this.#kept.clear();
    this.#records.closed(this);
  }
}
