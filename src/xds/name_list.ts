/**
 * Names of a response's resources, kept from the walk that hands on their payloads until all of them are applied: the
 * memory of the response is given back meanwhile. Flat, since there may be a million.
 */

/** What a resource is called. */
export interface ResourceNames {
  readonly name: string;
  readonly version: string;
  /** `Resource.aliases` */
  readonly aliases: readonly string[];
}

export const NO_ALIASES: readonly string[] = [];

export class NameList implements Iterable<ResourceNames> {
  /** Name, version, name, version, and so on. */
  readonly #texts: string[] = [];
  /** By the place of the name; of most there are none. */
  readonly #aliases = new Map<number, readonly string[]>();

  add({ name, version, aliases }: ResourceNames): void {
    if (aliases.length > 0) this.#aliases.set(this.#texts.length, aliases);
    this.#texts.push(name, version);
  }

  /** In the order in which they were added. */
  *[Symbol.iterator](): Generator<ResourceNames> {
    for (let i = 0; i < this.#texts.length; i += 2) {
      yield { name: this.#texts[i]!, version: this.#texts[i + 1]!, aliases: this.#aliases.get(i) ?? NO_ALIASES };
    }
  }
}
