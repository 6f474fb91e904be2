/**
 * The resources of one type that the control plane has sent and not removed: names and versions, which are listed in the
 * first request of a stream (`docs/spec/xds-state.md` 2.5, 2.6). A resource that is missing in the list would never be
 * removed.
 */
import { NameMap } from "./name_map.ts";

/** Names, versions and aliases of known resources. */
export class KnownResources {
  readonly #versions = new NameMap<string>();
  /** The aliases of each resource, if they are kept. */
  readonly #aliases = new Map<string, readonly string[]>();
  /** How many resources have an alias: a service and its workloads share addresses. */
  readonly #aliasCounts = new Map<string, number>();
  readonly #keepAliases: boolean;

  /** `keepAliases`: needed for lookups on demand, which may use an alias. */
  constructor(keepAliases: boolean) {
    this.#keepAliases = keepAliases;
  }

  /** The number of resources. */
  get size(): number {
    return this.#versions.size;
  }

  /** Adds or replaces a resource. */
  set(name: string, version: string, aliases: readonly string[]): void {
    this.#versions.set(name, version);
    if (!this.#keepAliases) return;
    this.#dropAliases(name);
    if (aliases.length === 0) return;
    this.#aliases.set(name, aliases);
    for (const alias of aliases) this.#aliasCounts.set(alias, (this.#aliasCounts.get(alias) ?? 0) + 1);
  }

  /** Removes a resource; returns whether it was known. */
  delete(name: string): boolean {
    const wasKnown = this.#versions.has(name);
    this.#versions.delete(name);
    this.#dropAliases(name);
    return wasKnown;
  }

  #dropAliases(name: string): void {
    for (const alias of this.#aliases.get(name) ?? []) {
      const left = this.#aliasCounts.get(alias)! - 1;
      if (left === 0) this.#aliasCounts.delete(alias);
      else this.#aliasCounts.set(alias, left);
    }
    this.#aliases.delete(name);
  }

  /** Returns whether a resource has this name or alias. */
  has(nameOrAlias: string): boolean {
    return this.#versions.has(nameOrAlias) || this.#aliasCounts.has(nameOrAlias);
  }

  /** Returns names and versions in no particular order. */
  versions(): Iterable<readonly [name: string, version: string]> {
    return this.#versions;
  }
}
