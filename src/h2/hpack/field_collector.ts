import type { HpackFault } from "./fault.ts";
import type { Flaw } from "./field_rules.ts";

/** Header fields in one block. A CONNECT has five; a header split into crumbs has thousands. */
export const MAX_FIELDS = 256;
/** From this number on the block is an attack, not a mistake. */
export const FLOOD_FIELDS = 1024;

/** A list that is this many times larger than we announced is an attack, not a mistake: index and insert storms. */
export const MAX_OVERSIZE = 4;

/** Gathers the fields of one header block until something is wrong with it, and counts on after that. */
export class FieldCollector {
  readonly fields: (readonly [name: string, value: string])[] = [];
  /** Set from the first field on that makes the list unusable: nothing more is gathered then. */
  refusal: HpackFault | null = null;

  #count = 0;
  #size = 0;
  readonly #maxListSize: number;

  constructor(maxListSize: number) {
    this.#maxListSize = maxListSize;
  }

  get count(): number {
    return this.#count;
  }

  /** Counts a field of `size` octets (name, value and 32). A fault given back ends the connection. */
  account(size: number, flaw: Flaw | null): HpackFault | null {
    this.#size += size;
    if (++this.#count > FLOOD_FIELDS) {
      return { fault: "budget", reason: `more than ${FLOOD_FIELDS} fields in a header block` };
    }
    if (this.#count > MAX_FIELDS) {
      this.refusal ??= { fault: "too-large", reason: `more than ${MAX_FIELDS} fields in a header block` };
    }
    if (this.#size > this.#maxListSize) return this.#tooLarge();
    if (flaw !== null) this.refusal ??= { fault: "malformed", reason: flaw };
    return null;
  }

  #tooLarge(): HpackFault | null {
    if (this.#size > this.#maxListSize * MAX_OVERSIZE) {
      return { fault: "budget", reason: `header list above ${MAX_OVERSIZE} times the limit of ${this.#maxListSize}` };
    }
    this.refusal ??= { fault: "too-large", reason: `header list above the limit of ${this.#maxListSize}` };
    return null;
  }
}
