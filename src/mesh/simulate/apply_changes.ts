/** The policies of the mesh now and after the changes, and what becomes of each object. */
import { ConfigError } from "../../config/error.ts";
import { convert, convertedKey, outerModes, strictKey, strictPolicy } from "../istio_policies/peer_policies.ts";
import { type Policy, type PolicyKey, policyKey, type Workload } from "../model/model.ts";
import { nearNames } from "../explain/near_names.ts";
import { revisionOf } from "../policy/decision_id.ts";
import { PolicyStore } from "../policy/store.ts";
import type { MeshState } from "../state/state.ts";
import type { PolicyChanges } from "./policy_changes.ts";
import type { AppliedObject } from "./result.ts";
import { Selection } from "./selection.ts";

/** The mesh as far as decisions need it, at two moments. */
export interface TwoMeshes {
  readonly before: PolicyStore;
  readonly after: PolicyStore;
  readonly selection: Selection;
  readonly applied: readonly AppliedObject[];
}

/**
 * Makes both from a state. Each yield ends a step of some microseconds.
 *
 * @throws ConfigError where a policy to delete is not there.
 */
export function* applyChanges(state: MeshState, changes: PolicyChanges): Generator<void, TwoMeshes, undefined> {
  const before = new PolicyStore(), after = new PolicyStore();
  // Copied at once, so that both have the policies of one moment. References only.
  for (const { key, policy } of [...state.policies()]) {
    before.insert(key, policy);
    after.insert(key, policy);
    yield;
  }
  const applied: AppliedObject[] = [];
  for (const { namespace, name, policy, notes } of changes.policies) {
    const key = policyKey(`${namespace}/${name}`);
    applied.push({ object: `AuthorizationPolicy ${key}`, effect: effectOf(key, before.get(key), policy), notes });
    if (policy === null) after.remove(key);
    else after.insert(key, policy);
    yield;
  }
  for (const { kind, namespace, name } of changes.deletions) {
    const key = policyKey(`${namespace}/${name}`);
    if (kind === "AuthorizationPolicy") {
      if (before.get(key) === null) throw notThere(before, key);
      after.remove(key);
    } else {
      after.remove(convertedKey({ namespace, name }));
    }
    applied.push({ object: `${kind} ${key}`, effect: "deleted", notes: [] });
  }
  const selection = new Selection(changes, (key) => before.get(key)?.scope === "WorkloadSelector");
  yield* applyAuthentications(state, changes, selection, after, applied);
  return { before, after, selection, applied };
}

function* applyAuthentications(
  state: MeshState,
  { root, authentications }: PolicyChanges,
  selection: Selection,
  after: PolicyStore,
  applied: AppliedObject[],
): Generator<void, void, undefined> {
  const remaining = selection.authentications;
  if (remaining.length === 0) return;
  after.insert(strictKey(root), strictPolicy(root));
  const strict = yield* strictNamespaces(state.workloads(), strictKey(root));
  for (const each of authentications) {
    const key = convertedKey(each);
    after.remove(key);
    if (!remaining.includes(each)) continue;
    const outer = outerModes(remaining, each.namespace, root);
    const isHidden = outer.mesh === null && outer.namespace === null && strict.has(each.namespace);
    const policy = convert(each, isHidden ? { mesh: "STRICT", namespace: null } : outer, root);
    if (policy !== null) after.insert(key, policy);
    applied.push({ object: `PeerAuthentication ${each.namespace}/${each.name}`, effect: "applied", notes: [] });
    yield;
  }
}

/** The namespaces with a workload that takes no plain connections. */
function* strictNamespaces(
  workloads: Iterable<Workload>,
  strict: PolicyKey,
): Generator<void, ReadonlySet<string>, undefined> {
  const found = new Set<string>();
  for (const { namespace, authorizationPolicies } of workloads) {
    if (!found.has(namespace) && authorizationPolicies.includes(strict)) found.add(namespace);
    yield;
  }
  return found;
}

function effectOf(key: PolicyKey, now: Policy | null, then: Policy | null): AppliedObject["effect"] {
  if (then === null) return "not for ztunnel";
  if (now === null) return "added";
  return revisionOf(key, now) === revisionOf(key, then) ? "unchanged" : "replaced";
}

function notThere(policies: PolicyStore, key: PolicyKey): ConfigError {
  const near = nearNames(key, [...policies.entries()].map((each) => each.key), (each) => each);
  const hint = near.length === 0 ? "" : `; near names: ${near.join(", ")}`;
  return new ConfigError(`cannot delete AuthorizationPolicy ${key}: the mesh does not have it${hint}`);
}
