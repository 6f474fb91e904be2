/**
 * What the control plane has told us and not taken back, of one type: names and versions to be listed when a stream
 * begins (`docs/spec/xds-state.md` 2.5, 2.6). One that is missing in that list would never be removed.
 */

import { NameMap } from "./name_map.ts";

export class KnownResources {
  readonly #versions = new NameMap<string>();
  /** Other names of each, where they are kept. */
  readonly #aliases = new Map<string, readonly string[]>();
  /** By how many resources an alias is claimed: a service and its workloads share addresses. */
  readonly #claims = new Map<string, number>();
  readonly #keepAliases: boolean;

  /** Aliases matter to those who ask by them: on demand. */
  constructor(keepAliases: boolean) {
    this.#keepAliases = keepAliases;
  }

  get size(): number {
    return this.#versions.size;
  }

  remember(name: string, version: string, aliases: readonly string[]): void {
    this.#versions.set(name, version);
    if (!this.#keepAliases) return;
    this.#dropAliases(name);
    if (aliases.length === 0) return;
    this.#aliases.set(name, aliases);
    for (const alias of aliases) this.#claims.set(alias, (this.#claims.get(alias) ?? 0) + 1);
  }

  /** Whether it was held. */
  forget(name: string): boolean {
    const held = this.#versions.has(name);
    this.#versions.delete(name);
    this.#dropAliases(name);
    return held;
  }

  #dropAliases(name: string): void {
    for (const alias of this.#aliases.get(name) ?? []) {
      const left = this.#claims.get(alias)! - 1;
      if (left === 0) this.#claims.delete(alias);
      else this.#claims.set(alias, left);
    }
    this.#aliases.delete(name);
  }

  /** Under its name, or under another. */
  has(nameOrAlias: string): boolean {
    return this.#versions.has(nameOrAlias) || this.#claims.has(nameOrAlias);
  }

  versions(): Iterable<readonly [name: string, version: string]> {
    return this.#versions;
  }
}
