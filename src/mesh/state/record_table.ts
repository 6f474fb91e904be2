/** The records of one kind by their key. Each has a small number as long as it is there. */
import { HEAD, type Location, NOWHERE } from "../records/record_memory.ts";
import type { RecordReader } from "../records/record_reader.ts";
import { hashOfText } from "../records/text_hash.ts";
import { columnFor, Numbers } from "./columns.ts";
import { HashTable } from "./hash_table.ts";
import { RecentValues } from "./recent_values.ts";
import { RecordSnapshot } from "./record_snapshot.ts";

/** Values that stay decoded: those of the node's pods and of what they talk to are needed again and again. */
const DECODED = 2048;

/** Decodes values when they are asked for. */
export class RecordTable<V> {
  readonly #reader: RecordReader;
  readonly #seed: number;
  readonly #read: (at: Location) => V;
  readonly #byKey = new HashTable();
  readonly #numbers = new Numbers();
  readonly #recent = new RecentValues<V>(DECODED);
  #locations = new Uint32Array(0);
  readonly #snapshots = new Set<RecordSnapshot<V>>();

  /** `read` decodes the value at a location. */
  constructor(reader: RecordReader, seed: number, read: (at: Location) => V) {
    this.#reader = reader;
    this.#seed = seed;
    this.#read = read;
  }

  get size(): number {
    return this.#numbers.size;
  }

  /** Returns the number of the record with this key; -1: there is none. */
  find(key: string): number {
    return this.findHashed(hashOfText(this.#seed, key), key);
  }

  /** As {@link find}, with the hash of the key. */
  findHashed(hash: number, key: string): number {
    for (let i = 0;; i++) {
      const id = this.#byKey.nth(hash, i);
      if (id < 0 || this.#hasKey(id, key)) return id;
    }
  }

  #hasKey(id: number, key: string): boolean {
    this.#reader.open(this.location(id));
    return this.#reader.isText(key);
  }

  /** Returns the number of the record whose key is that of the record at `at`; -1: there is none. */
  findLike(at: Location): number {
    const hash = this.#reader.memory.head(at, HEAD.hash);
    return this.#byKey.nth(hash, 0) < 0 ? -1 : this.findHashed(hash, this.keyAt(at));
  }

  /** Adds a record whose key is not in the table. Returns its number. */
  add(at: Location): number {
    const id = this.#numbers.take();
    this.#locations = columnFor(this.#locations, id);
    this.#locations[id] = at;
    this.#byKey.add(this.#reader.memory.head(at, HEAD.hash), id);
    return id;
  }

  /** Removes the record with this number. */
  remove(id: number): void {
    for (const snapshot of this.#snapshots) snapshot.keep(id);
    this.#byKey.remove(this.#reader.memory.head(this.location(id), HEAD.hash), id);
    this.#locations[id] = NOWHERE;
    this.#recent.delete(id);
    this.#numbers.giveBack(id);
  }

  /** The record has been moved. */
  moved(from: Location, to: Location): void {
    const hash = this.#reader.memory.head(from, HEAD.hash);
    for (let i = 0;; i++) {
      const id = this.#byKey.nth(hash, i);
      if (id < 0) return;
      if (this.#locations[id] === from) this.#locations[id] = to;
    }
  }

  location(id: number): Location {
    return this.#locations[id]! as Location;
  }

  key(id: number): string {
    return this.keyAt(this.location(id));
  }

  keyAt(at: Location): string {
    this.#reader.open(at);
    return this.#reader.text();
  }

  flags(id: number): number {
    return this.#reader.memory.head(this.location(id), HEAD.flags);
  }

  /** Returns the value, the same object as long as it is among those used last. */
  value(id: number): V {
    let value = this.#recent.get(id);
    if (value === undefined) this.#recent.set(id, value = this.#read(this.location(id)));
    return value;
  }

  /** As {@link value}, for walks over all records: it does not take the place of values used last. */
  read(id: number): V {
    return this.#recent.get(id) ?? this.#read(this.location(id));
  }

  /** The records of this moment. To be closed. */
  snapshot(): RecordSnapshot<V> {
    const snapshot = new RecordSnapshot<V>(this, this.#locations.slice(0, this.#numbers.end));
    this.#snapshots.add(snapshot);
    return snapshot;
  }

  /** Called by the snapshot. */
  closed(snapshot: RecordSnapshot<V>): void {
    this.#snapshots.delete(snapshot);
  }

  /** Numbers of all records. Records may be added and removed meanwhile. */
  *ids(): Generator<number, void, undefined> {
    for (let id = 0; id < this.#numbers.end; id++) if (this.#locations[id] !== NOWHERE) yield id;
  }

  /** All values. Records may be added and removed meanwhile. */
  *values(): Generator<V, void, undefined> {
    for (const id of this.ids()) yield this.read(id);
  }

  clear(): void {
    for (const snapshot of this.#snapshots) for (const id of this.ids()) snapshot.keep(id);
    this.#byKey.clear();
    this.#numbers.clear();
    this.#recent.clear();
    this.#locations = new Uint32Array(0);
  }
}
