/**
 * Places records in segments, and takes segments that have no record left for new ones. Where more than half of the
 * memory is lost between records, the records of the emptiest segment are moved, a segment at a time.
 *
 *     added ──retire──▶ retired: others may still read it ──release──▶ its memory is used again
 */
import {
  HEAD,
  type Location,
  locationOf,
  OWN_SEGMENTS,
  type RecordMemory,
  type Segment,
  SEGMENT_BYTES,
  segmentNumber,
  segmentOf,
  UNIT,
  unitNumber,
} from "./record_memory.ts";

const SEGMENT_UNITS = SEGMENT_BYTES / UNIT;
/** Unit 0 of a segment is not used, so no record is at location 0. */
const FIRST_UNIT = 1;
/** Segments that may be lost between records before any is moved. */
const SPARE_SEGMENTS = 4;
/** Set in the flags of a record that was retired. */
const RETIRED = 1 << 31;

/** A segment in use. */
interface Used {
  readonly segment: Segment;
  /** The first unit without a record. */
  end: number;
  /** Units of records that were not released. */
  live: number;
}

/** Memory of an isolate's own, or memory that several isolates share. */
type ArenaKind = "own" | "shared";

/** The only writer of its segments. */
export class RecordArena {
  readonly #memory: RecordMemory;
  readonly #kind: ArenaKind;
  /** The number of the first segment. */
  readonly #base: number;
  readonly #used: (Used | undefined)[] = [];
  /** Indexes without a segment; segments without a record. */
  readonly #indexes: number[] = [];
  readonly #free: Segment[] = [];
  #current = -1;
  #inUse = 0;
  #live = 0;

  constructor(memory: RecordMemory, kind: ArenaKind) {
    this.#memory = memory;
    this.#kind = kind;
    this.#base = kind === "shared" ? 0 : OWN_SEGMENTS;
  }

  /** Bytes of segments in use, and of records in them. */
  get bytes(): { readonly used: number; readonly live: number } {
    return { used: this.#inUse * UNIT, live: this.#live * UNIT };
  }

  /** Copies a record and returns where it is. Throws where the memory has no segment left. */
  add(record: Uint8Array): Location {
    const units = record.length / UNIT;
    const { index, used } = this.#roomFor(units);
    const unit = used.end;
    used.segment.bytes.set(record, unit * UNIT);
    used.end += units;
    used.live += units;
    this.#live += units;
    return locationOf(this.#base + index, unit);
  }

  /** The record is not part of the mesh any more. It may still be read until {@link release}. */
  retire(at: Location): void {
    this.#usedAt(at).segment.words[unitNumber(at) * 2 + HEAD.flags]! |= RETIRED;
  }

  /** Nobody reads the record any more; it was retired. */
  release(at: Location): void {
    const used = this.#usedAt(at);
    const units = used.segment.words[unitNumber(at) * 2 + HEAD.units]!;
    used.live -= units;
    this.#live -= units;
    const index = segmentNumber(at) - this.#base;
    if (used.live === 0 && index !== this.#current) this.#remove(index);
  }

  #usedAt(at: Location): Used {
    return this.#used[segmentNumber(at) - this.#base]!;
  }

  /** Copies the records of one segment where much memory is lost. `moved` is called for each and retires the old one. */
  compact(moved: (from: Location, to: Location) => void): void {
    if (this.#inUse <= 2 * this.#live + SPARE_SEGMENTS * SEGMENT_UNITS) return;
    const index = this.#emptiest();
    const used = this.#used[index];
    if (used === undefined) return;
    const { bytes, words } = used.segment;
    for (let unit = FIRST_UNIT; unit < used.end;) {
      const units = words[unit * 2 + HEAD.units]!;
      if ((words[unit * 2 + HEAD.flags]! & RETIRED) === 0) {
        const to = this.add(bytes.subarray(unit * UNIT, (unit + units) * UNIT));
        moved(locationOf(this.#base + index, unit), to);
      }
      unit += units;
    }
  }

  /** Releases all records. */
  clear(): void {
    for (const index of this.#used.keys()) this.#memory.set(this.#base + index, null);
    this.#used.length = this.#indexes.length = this.#free.length = 0;
    this.#current = -1;
    this.#inUse = this.#live = 0;
  }

  #roomFor(units: number): { readonly index: number; readonly used: Used } {
    const current = this.#used[this.#current];
    if (current !== undefined && current.end + units <= current.segment.bytes.length / UNIT) {
      return { index: this.#current, used: current };
    }
    const isLong = units > SEGMENT_UNITS - FIRST_UNIT;
    const segment = isLong
      ? this.#newSegment((units + FIRST_UNIT) * UNIT)
      : this.#free.pop() ?? this.#newSegment(SEGMENT_BYTES);
    const index = this.#indexes.pop() ?? this.#used.length;
    if (index === OWN_SEGMENTS) throw new RangeError("The mesh does not fit into the memory for its resources");
    const used = { segment, end: FIRST_UNIT, live: 0 };
    this.#used[index] = used;
    this.#memory.set(this.#base + index, segment);
    this.#inUse += segment.bytes.length / UNIT;
    if (!isLong) {
      const last = this.#current;
      this.#current = index;
      if (current !== undefined && current.live === 0) this.#remove(last);
    }
    return { index, used };
  }

  #newSegment(bytes: number): Segment {
    return segmentOf(this.#kind === "shared" ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes));
  }

  #remove(index: number): void {
    const { segment } = this.#used[index]!;
    this.#used[index] = undefined;
    this.#indexes.push(index);
    this.#memory.set(this.#base + index, null);
    this.#inUse -= segment.bytes.length / UNIT;
    if (segment.bytes.length === SEGMENT_BYTES && this.#free.length < SPARE_SEGMENTS) this.#free.push(segment);
  }

  #emptiest(): number {
    let found = -1;
    let least = SEGMENT_UNITS;
    for (const [index, used] of this.#used.entries()) {
      if (used === undefined || index === this.#current || used.live >= least) continue;
      found = index;
      least = used.live;
    }
    return found;
  }
}
