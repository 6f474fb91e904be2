/**
 * The names of a response's resources. They are kept until all resources are applied, as the memory of the response is
 * freed meanwhile. Stored in a flat array, since there may be a million.
 */

/** The name, version and aliases of a resource. */
export interface ResourceNames {
  readonly name: string;
  readonly version: string;
  /** `Resource.aliases` */
  readonly aliases: readonly string[];
}

/** An empty list. */
export const NO_ALIASES: readonly string[] = [];

/** A compact list of names. */
export class NameList implements Iterable<ResourceNames> {
  /** Name, version, name, version, and so on. */
  readonly #texts: string[] = [];
  /** By the index of the name in `#texts`; most resources have none. */
  readonly #aliases = new Map<number, readonly string[]>();

  /** Appends the names of one resource. */
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
