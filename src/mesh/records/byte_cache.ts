/**
 * Caches of values by the bytes that they were decoded from, so that equal parts of many resources (namespaces, service
 * accounts, localities, port maps) share one value. The caches only save memory and time: an evicted value is decoded
 * again.
 *
 * The hash of a key determines its only slot; a new value replaces the one in its slot.
 */
import type { Buffer } from "node:buffer";

/** Declares two methods of Node that are missing in its types. They take half the time of `toString`. */
export interface Bytes extends Buffer {
  latin1Slice(start: number, end: number): string;
  /** Replaces bytes that are not UTF-8. */
  utf8Slice(start: number, end: number): string;
}

/** Bytes. Longer keys are not cached: they are mostly unique and would only evict others. */
const MAX_KEY = 256;

/** A cache of texts by their ASCII bytes. */
export class TextCache {
  readonly #slots: string[];
  readonly #mask: number;

  /** At most `slots` texts, a power of two. */
  constructor(slots: number) {
    this.#slots = new Array<string>(slots).fill("");
    this.#mask = slots - 1;
  }

  /** Returns the text of `bytes` from `start` to `end`; null where it is not ASCII. */
  get(bytes: Bytes, start: number, end: number): string | null {
    const at = hash(bytes, start, end) & this.#mask;
    const known = this.#slots[at]!;
    if (isSame(known, bytes, start, end)) return known;
    for (let i = start; i < end; i++) if (bytes[i]! > 127) return null;
    const text = bytes.latin1Slice(start, end);
    if (end - start <= MAX_KEY) this.#slots[at] = text;
    return text;
  }
}

interface Slot<T> {
  /** The bytes, as characters 0 to 255. */
  readonly key: string;
  readonly value: T;
}

/** A cache of values by the bytes of `[start, end)`. */
export class ByteCache<T> {
  readonly #slots: (Slot<T> | undefined)[];
  readonly #mask: number;

  /** At most `slots` values, a power of two. */
  constructor(slots: number) {
    this.#slots = new Array<Slot<T> | undefined>(slots).fill(undefined);
    this.#mask = slots - 1;
  }

  /** Returns the cached value; undefined where there is none. */
  get(bytes: Bytes, start: number, end: number): T | undefined {
    const slot = this.#slots[hash(bytes, start, end) & this.#mask];
    return slot !== undefined && isSame(slot.key, bytes, start, end) ? slot.value : undefined;
  }

  /** Caches a value. */
  set(bytes: Bytes, start: number, end: number, value: T): void {
    if (end - start > MAX_KEY) return;
    const key = bytes.latin1Slice(start, end);
    this.#slots[hash(bytes, start, end) & this.#mask] = { key, value };
  }
}

/** FNV-1a, with the upper half folded into the lower one. */
function hash(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return hash ^ (hash >>> 15);
}

function isSame(key: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (key.length !== end - start) return false;
  for (let i = 0; i < key.length; i++) if (key.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}
