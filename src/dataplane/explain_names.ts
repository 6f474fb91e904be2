/** The answers that the DNS proxy would give, for explanations. */
import { lookup } from "../dns/lookup.ts";
import { TYPE_A, TYPE_AAAA } from "../dns/wire.ts";
import type { NameLookup } from "../mesh/explain/target.ts";
import type { ExplainSettings } from "../mesh/explain/explanation.ts";
import type { MeshState } from "../mesh/state/state.ts";

/** Looks up names as the DNS proxy does. Addresses are in the order of the mesh; those of a real answer are shuffled. */
export function nameLookup(state: MeshState, { dns }: ExplainSettings): NameLookup {
  return (client, name, v4) => {
    const answer = lookup(state, client, { name, type: v4 ? TYPE_A : TYPE_AAAA }, dns, () => 0.999999);
    return answer?.addresses ?? null;
  };
}
