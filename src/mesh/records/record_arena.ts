/**
 * Places records in segments, and takes segments that have no record left for new ones. Where more than half of the
 * memory is lost between records, the records of the emptiest segment are moved, a segment at a time.
 */
import {
  HEAD,
  type Location,
  locationOf,
  MAX_SEGMENTS,
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
/** Set in the flags of a record that was released. */
const RELEASED = 1 << 31;

/** A segment in use. */
interface Used {
  readonly segment: Segment;
  /** The first unit without a record. */
  end: number;
  /** Units of records that were not released. */
  live: number;
}

/** The only writer of a {@link RecordMemory}. */
export class RecordArena {
  readonly #memory: RecordMemory;
  readonly #used: (Used | undefined)[] = [];
  /** Numbers without a segment; segments without a record. */
  readonly #numbers: number[] = [];
  readonly #free: Segment[] = [];
  #current = -1;
  #inUse = 0;
  #live = 0;

  constructor(memory: RecordMemory) {
    this.#memory = memory;
  }

  /** Bytes of segments in use, and of records in them. */
  get bytes(): { readonly used: number; readonly live: number } {
    return { used: this.#inUse * UNIT, live: this.#live * UNIT };
  }

  /** Copies a record and returns where it is. Throws where the memory has no segment left. */
  add(record: Uint8Array): Location {
    const units = record.length / UNIT;
    const { number, used } = this.#roomFor(units);
    const unit = used.end;
    used.segment.bytes.set(record, unit * UNIT);
    used.end += units;
    used.live += units;
    this.#live += units;
    return locationOf(number, unit);
  }

  /** The record is not used any more. */
  release(at: Location): void {
    const number = segmentNumber(at);
    const used = this.#used[number]!;
    const word = unitNumber(at) * 2;
    const units = used.segment.words[word + HEAD.units]!;
    used.segment.words[word + HEAD.flags]! |= RELEASED;
    used.live -= units;
    this.#live -= units;
    if (used.live === 0 && number !== this.#current) this.#remove(number);
  }

  /**
   * Moves the records of one segment where much memory is lost. `moved` is called for each, after which its old place
   * is not used any more.
   */
  compact(moved: (from: Location, to: Location) => void): void {
    if (this.#inUse <= 2 * this.#live + SPARE_SEGMENTS * SEGMENT_UNITS) return;
    const number = this.#emptiest();
    const used = this.#used[number];
    if (used === undefined) return;
    const { bytes, words } = used.segment;
    for (let unit = FIRST_UNIT; unit < used.end;) {
      const units = words[unit * 2 + HEAD.units]!;
      if ((words[unit * 2 + HEAD.flags]! & RELEASED) === 0) {
        const from = locationOf(number, unit);
        moved(from, this.add(bytes.subarray(unit * UNIT, (unit + units) * UNIT)));
        this.release(from);
      }
      unit += units;
    }
  }

  /** Releases all records. */
  clear(): void {
    this.#memory.clear();
    this.#used.length = this.#numbers.length = this.#free.length = 0;
    this.#current = -1;
    this.#inUse = this.#live = 0;
  }

  #roomFor(units: number): { readonly number: number; readonly used: Used } {
    const current = this.#used[this.#current];
    if (current !== undefined && current.end + units <= current.segment.bytes.length / UNIT) {
      return { number: this.#current, used: current };
    }
    const isLong = units > SEGMENT_UNITS - FIRST_UNIT;
    const segment = isLong
      ? segmentOf(new ArrayBuffer((units + FIRST_UNIT) * UNIT))
      : this.#free.pop() ?? segmentOf(new ArrayBuffer(SEGMENT_BYTES));
    const number = this.#numbers.pop() ?? this.#used.length;
    if (number === MAX_SEGMENTS) throw new RangeError("The mesh does not fit into the memory for its resources");
    const used = { segment, end: FIRST_UNIT, live: 0 };
    this.#used[number] = used;
    this.#memory.set(number, segment);
    this.#inUse += segment.bytes.length / UNIT;
    if (!isLong) {
      const last = this.#current;
      this.#current = number;
      if (current !== undefined && current.live === 0) this.#remove(last);
    }
    return { number, used };
  }

  #remove(number: number): void {
    const { segment } = this.#used[number]!;
    this.#used[number] = undefined;
    this.#numbers.push(number);
    this.#memory.set(number, undefined);
    this.#inUse -= segment.bytes.length / UNIT;
    if (segment.bytes.length === SEGMENT_BYTES && this.#free.length < SPARE_SEGMENTS) this.#free.push(segment);
  }

  #emptiest(): number {
    let found = -1;
    let least = SEGMENT_UNITS;
    for (const [number, used] of this.#used.entries()) {
      if (used === undefined || number === this.#current || used.live >= least) continue;
      found = number;
      least = used.live;
    }
    return found;
  }
}
