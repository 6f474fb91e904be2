/** Collects the fields of one header block within limits. */
import type { HpackFault } from "./fault.ts";
import type { Flaw } from "./field_rules.ts";

/** Header fields in one block, at most. A CONNECT has five. */
export const MAX_FIELDS = 256;
/** A block with more fields than this is an attack, and the connection ends. */
export const FLOOD_FIELDS = 1024;

/**
 * A list that is this many times larger than our limit is an attack, for example by indexed fields: the connection
 * ends.
 */
const MAX_OVERSIZE = 4;

/** Collects the fields of one header block until something is wrong with it. All fields are counted. */
export class FieldCollector {
  readonly fields: (readonly [name: string, value: string])[] = [];
  /** Set by the first field that makes the list unusable; later fields are not collected. */
  refusal: HpackFault | null = null;

  #count = 0;
  #size = 0;
  readonly #maxListSize: number;

  constructor(maxListSize: number) {
    this.#maxListSize = maxListSize;
  }

  /** Number of fields so far, including refused ones. */
  get count(): number {
    return this.#count;
  }

  /** Counts a field of `size` octets (name, value and 32). A fault that this returns must end the connection. */
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
