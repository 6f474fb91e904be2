/**
 * The memory in which the resources of a mesh lie as bytes: segments of equal size, each with records one after the
 * other.
 *
 *     segment:  (8 bytes) │ record │ record │ ...
 *     record:   units u32 │ hash of the key u32 │ flags u32 │ addresses u32 │ links u32 │ hash of each u32 │ fields
 *
 * A record begins at a multiple of eight bytes, and its length is given in such units. Addresses and links are hashes
 * by which it is found: of a workload its addresses and its services, of a service its virtual addresses and its host
 * name in lower case. The fields begin with the key. Numbers have the byte order of the machine.
 */
import { Buffer } from "node:buffer";
import type { Location } from "../model/changes.ts";
import type { Bytes } from "./byte_cache.ts";

export type { Location };

/** Flags of records: this one tells services from workloads, the others are those of the kind. */
export const IS_SERVICE = 1 << 30;

/** No record. */
export const NOWHERE = 0 as Location;

/** Bytes of a unit. */
export const UNIT = 8;
const UNIT_BITS = 15;
const UNIT_MASK = (1 << UNIT_BITS) - 1;
/** Bytes of a segment. A record that does not fit into one has a longer segment of its own. */
export const SEGMENT_BYTES = UNIT << UNIT_BITS;
/** Segments below this number are in memory that isolates share, as many others in an isolate's own. */
export const OWN_SEGMENTS = 1 << (31 - UNIT_BITS);

/** Positions of the 32-bit numbers at the beginning of a record. */
export const HEAD = { units: 0, hash: 1, flags: 2, addresses: 3, links: 4, lists: 5 } as const;

/** One segment, as bytes and as 32-bit numbers. */
export interface Segment {
  readonly bytes: Bytes;
  readonly words: Uint32Array;
}

/** Makes the views of a segment. */
export function segmentOf(memory: ArrayBufferLike): Segment {
  return { bytes: Buffer.from(memory as ArrayBuffer) as Bytes, words: new Uint32Array(memory) };
}

/** Returns the location of a unit in a segment. */
export function locationOf(segment: number, unit: number): Location {
  return ((segment << UNIT_BITS | unit) >>> 0) as Location;
}

/** Returns the number of the segment of a location. */
export function segmentNumber(at: Location): number {
  return at >>> UNIT_BITS;
}

/** Returns the unit of a location in its segment. */
export function unitNumber(at: Location): number {
  return at & UNIT_MASK;
}

/** The segments by their numbers. */
export class RecordMemory {
  readonly #shared: (Segment | undefined)[] = [];
  readonly #own: (Segment | undefined)[] = [];
  /** The texts of `text_table.ts` by their numbers. */
  readonly #sharedTexts: string[] = [];
  readonly #ownTexts: string[] = [];

  /** Adds texts that records refer to. */
  addTexts(kind: "own" | "shared", texts: readonly string[]): void {
    for (const text of texts) (kind === "own" ? this.#ownTexts : this.#sharedTexts).push(text);
  }

  /** Returns the texts to which a record refers. */
  texts(at: Location): readonly string[] {
    return segmentNumber(at) < OWN_SEGMENTS ? this.#sharedTexts : this.#ownTexts;
  }

  /** Adds, replaces or (null) removes a segment. */
  set(number: number, segment: Segment | null): void {
    if (number < OWN_SEGMENTS) this.#shared[number] = segment ?? undefined;
    else this.#own[number - OWN_SEGMENTS] = segment ?? undefined;
  }

  /** Returns the segment of a record that exists. */
  segment(at: Location): Segment {
    const number = segmentNumber(at);
    return number < OWN_SEGMENTS ? this.#shared[number]! : this.#own[number - OWN_SEGMENTS]!;
  }

  /** Returns a number of the record's head. */
  head(at: Location, word: number): number {
    return this.segment(at).words[((at & UNIT_MASK) << 1) + word]!;
  }
}

/** Returns the position of a record's fields in the bytes of its segment. */
export function fieldsAt({ words }: Segment, at: Location): number {
  const first = unitNumber(at) << 1;
  return (first + HEAD.lists + words[first + HEAD.addresses]! + words[first + HEAD.links]!) << 2;
}
