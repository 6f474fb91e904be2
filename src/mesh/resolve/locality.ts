/** How near an endpoint is to a client, by the preferences of the service (`docs/spec/xds-state.md` 4.5). */
import type { LoadBalancer, RoutingScope, Workload } from "../model/model.ts";

/**
 * The rank of `candidate` for `source`; higher is nearer. Null: excluded by a strict service.
 *
 * Preferences are compared in order up to the first that does not match. A network preference in the first place is
 * special: another network does not end the comparison, and the same network outranks everything else.
 */
export function localityRank(balancer: LoadBalancer, source: Workload, candidate: Workload): number | null {
  const preferences = balancer.routingPreferences;
  let matched = 0;
  let bonus = 0;
  for (const [i, scope] of preferences.entries()) {
    if (samePlace(scope, source, candidate)) {
      matched++;
      if (i === 0 && scope === "Network") bonus = preferences.length - 1;
    } else if (i > 0 || scope !== "Network") {
      break;
    }
  }
  if (balancer.mode === "Strict" && matched < preferences.length) return null;
  return matched + bonus;
}

/** Plain equality: two empty names are equal. */
function samePlace(scope: RoutingScope, a: Workload, b: Workload): boolean {
  switch (scope) {
    case "Region":
      return a.locality.region === b.locality.region;
    case "Zone":
      return a.locality.zone === b.locality.zone;
    case "Subzone":
      return a.locality.subzone === b.locality.subzone;
    case "Node":
      return a.node === b.node;
    case "Cluster":
      return a.clusterId === b.clusterId;
    case "Network":
      return a.network === b.network;
    default:
      return scope satisfies never;
  }
}
