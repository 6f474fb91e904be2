/**
 * The trust domain of the mesh and its former names, which are treated as equal. While a mesh migrates from one name to
 * another, the control plane and the certificate of a workload may give different names.
 *
 * Policies do not need this: the control plane repeats their principals for each alias.
 */
import { parseSpiffeId, type SpiffeId, trustDomainOf } from "./spiffe_id.ts";

const SCHEME = "spiffe://";

/** The names of the mesh's trust domain. */
export class TrustDomainAliases {
  /** All names of the domain; empty where it has only one. */
  readonly #names: readonly string[];

  constructor(trustDomain: string, aliases: readonly string[]) {
    this.#names = aliases.length === 0 ? [] : [...new Set([trustDomain, ...aliases])];
  }

  /** Returns the ids; each id of this domain is followed by the same id under the other names. */
  expand(ids: readonly SpiffeId[]): readonly SpiffeId[] {
    if (this.#names.length === 0) return ids;
    return [...new Set(ids.flatMap((id) => [id, ...this.#others(id)]))];
  }

  /** Returns all names of `trustDomain`, including itself; none where it has only one. */
  of(trustDomain: string): readonly string[] {
    return this.#names.includes(trustDomain) ? this.#names : [];
  }

  #others(id: SpiffeId): SpiffeId[] {
    const own = trustDomainOf(id);
    const path = id.slice(SCHEME.length + own.length);
    return this.of(own).map((name) => parseSpiffeId(`${SCHEME}${name}${path}`)).filter((other) => other !== null);
  }
}
