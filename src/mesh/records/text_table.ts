/**
 * Texts that very many records have, such as namespaces and names of nodes: a record contains the number of the text.
 * Texts stay in the table; when it is full, records contain further ones themselves.
 */

/** The low bits of the number before a text: what is behind it. The other bits: the length, or the number in the table. */
export const ASCII = 0, WIDE = 1, TABLE = 2, KIND = 3, KIND_BITS = 2;

/** Texts in the table. */
const MAX_TEXTS = 8192;
/** Characters of a text. */
const MAX_LENGTH = 256;

/** The table of one arena. */
export class TextTable {
  readonly #numbers = new Map<string, number>();
  #added: string[] = [];

  /** Returns the number of a text, which is added where there is room; -1: it is not in the table. */
  number(text: string): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    const number = this.#numbers.size;
    if (number === MAX_TEXTS || text.length > MAX_LENGTH) return -1;
    this.#numbers.set(text, number);
    this.#added.push(text);
    return number;
  }

  /** Returns the texts that were added since the last call, in the order of their numbers. */
  takeAdded(): readonly string[] {
    const added = this.#added;
    this.#added = [];
    return added;
  }
}
