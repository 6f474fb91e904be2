/** Which policies a workload names, as istiod decides by the workload's labels (`docs/spec/xds-state.md` 3.11). */
import { type PolicyKey, policyKey } from "../model/model.ts";
import { selects } from "./metadata.ts";
import type { AuthorizationPolicy, Labels, PeerAuthentication } from "./objects.ts";
import { applicable, enforced } from "./peer_policies.ts";

/** An empty selector of an AuthorizationPolicy selects nothing, as istiod names the policy to no workload. */
export function selectsSome(selector: Labels): boolean {
  return Object.keys(selector).length > 0;
}

/** The policies that select a workload of `namespace` with these labels, and those of PeerAuthentications. */
export function referencesOf(
  policies: readonly AuthorizationPolicy[],
  authentications: readonly PeerAuthentication[],
  namespace: string,
  labels: Labels,
  root: string,
): readonly PolicyKey[] {
  const selecting = policies.filter((each) =>
    each.policy !== null && each.selector !== null && (each.namespace === root || each.namespace === namespace) &&
    selectsSome(each.selector) && selects(each.selector, labels)
  );
  return [
    ...selecting.map((each) => policyKey(`${each.namespace}/${each.name}`)).sort(),
    ...enforced(applicable(authentications, namespace, labels, root), root),
  ];
}
