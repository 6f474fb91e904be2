/** How this proxy's DNS would answer a client, for explanations. */
import { lookup } from "../dns/lookup.ts";
import { TYPE_A, TYPE_AAAA } from "../dns/wire.ts";
import type { NameLookup } from "../mesh/explain/target.ts";
import type { ExplainSettings } from "../mesh/explain/explanation.ts";
import type { MeshState } from "../mesh/state/state.ts";

/** Addresses come in the order of the mesh; a real answer is shuffled. */
export function nameLookup(state: MeshState, { dns }: ExplainSettings): NameLookup {
  return (client, name, v4) => {
    const answer = lookup(state, client, { name, type: v4 ? TYPE_A : TYPE_AAAA }, dns, () => 0.999999);
    return answer?.addresses ?? null;
  };
}
