/**
 * Values by the bytes they were read from, so that what many resources say alike exists once: namespaces, accounts,
 * localities, port maps. It only saves memory and time: what has fallen out is made again.
 *
 * Each key has one place, and takes it from whoever was there.
 */
import type { Buffer } from "node:buffer";

/** With two methods of Node's that its types leave out. They cost half of what `toString` does. */
export interface Bytes extends Buffer {
  latin1Slice(start: number, end: number): string;
  /** What is no UTF-8 is replaced. */
  utf8Slice(start: number, end: number): string;
}

/** Longer keys are mostly unique, and would only drive out others. */
const MAX_KEY = 256;

/** Texts by their ASCII bytes. */
export class TextCache {
  readonly #slots: string[];
  readonly #mask: number;

  /** At most `slots` texts, a power of two. */
  constructor(slots: number) {
    this.#slots = new Array<string>(slots).fill("");
    this.#mask = slots - 1;
  }

  /** The text of `bytes` from `start` to `end`; null where there is none, and where it is no ASCII. */
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

export class ByteCache<T> {
  readonly #slots: (Slot<T> | undefined)[];
  readonly #mask: number;

  /** At most `slots` values, a power of two. */
  constructor(slots: number) {
    this.#slots = new Array<Slot<T> | undefined>(slots).fill(undefined);
    this.#mask = slots - 1;
  }

  /** The value of `bytes` from `start` to `end`. */
  find(bytes: Bytes, start: number, end: number): T | undefined {
    const slot = this.#slots[hash(bytes, start, end) & this.#mask];
    return slot !== undefined && isSame(slot.key, bytes, start, end) ? slot.value : undefined;
  }

  keep(bytes: Bytes, start: number, end: number, value: T): void {
    if (end - start > MAX_KEY) return;
    const key = bytes.latin1Slice(start, end);
    this.#slots[hash(bytes, start, end) & this.#mask] = { key, value };
  }
}

/** FNV-1a, its upper half folded into the lower one. */
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
