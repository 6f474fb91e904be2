/**
 * Trust domains that count as one: the mesh's and its former names. While a mesh moves from one to the other, what the
 * control plane says of a workload and what its certificate says differ.
 *
 * Policies need none of this: the control plane writes their principals out for each alias.
 */
import { parseSpiffeId, type SpiffeId, trustDomainOf } from "./spiffe_id.ts";

const SCHEME = "spiffe://";

export class TrustDomainAliases {
  /** All names of the one domain; empty where it has one only. */
  readonly #names: readonly string[];

  constructor(trustDomain: string, aliases: readonly string[]) {
    this.#names = aliases.length === 0 ? [] : [...new Set([trustDomain, ...aliases])];
  }

  /** The ids, each of this domain followed by what it is under the other names. */
  expand(ids: readonly SpiffeId[]): readonly SpiffeId[] {
    if (this.#names.length === 0) return ids;
    return [...new Set(ids.flatMap((id) => [id, ...this.#others(id)]))];
  }

  /** All names of the trust domain, its own included; none where it has one only. */
  of(trustDomain: string): readonly string[] {
    return this.#names.includes(trustDomain) ? this.#names : [];
  }

  #others(id: SpiffeId): SpiffeId[] {
    const own = trustDomainOf(id);
    const path = id.slice(SCHEME.length + own.length);
    return this.of(own).map((name) => parseSpiffeId(`${SCHEME}${name}${path}`)).filter((other) => other !== null);
  }
}
