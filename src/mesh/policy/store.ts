/** Compiled policies by key and by the workloads they apply to (`docs/spec/xds-state.md` 3.7, 5.1). */
import type { Millis } from "../../net/clock.ts";
import type { Policy, PolicyKey, Workload } from "../model/model.ts";
import { revisionOf } from "./decision_id.ts";
import { CompiledPolicy } from "./matcher.ts";
import { RetiredPolicies } from "./retired_policies.ts";

/** Gives the policies of a workload. `MeshState` implements it. */
export interface PolicySource {
  policiesFor(workload: Workload): PolicySet;
}

/**
 * The policies of one workload, by kind. Order in each list: namespace policies, global ones, those the workload
 * references.
 */
export interface PolicySet {
  readonly deny: readonly CompiledPolicy[];
  readonly dryRunDeny: readonly CompiledPolicy[];
  readonly allow: readonly CompiledPolicy[];
  readonly dryRunAllow: readonly CompiledPolicy[];
  /** Referenced by the workload and not there. */
  readonly unknown: readonly PolicyKey[];
}

/** All policies of the mesh. */
export class PolicyStore {
  readonly #now: () => Millis;
  /** Versions that have decided and are no longer in force. */
  readonly retired = new RetiredPolicies();
  readonly #byKey = new Map<PolicyKey, CompiledPolicy>();
  /** By namespace; the empty key has the policies for all namespaces. Policies with a selector are not in it. */
  readonly #byNamespace = new Map<string, Map<PolicyKey, CompiledPolicy>>();
  /** Sets made since the last change. */
  #sets = new WeakMap<Workload, PolicySet>();

  /** `now`: by which the arrival and the end of versions are noted. */
  constructor(now: () => Millis = () => 0) {
    this.#now = now;
  }

  get(key: PolicyKey): Policy | null {
    return this.#byKey.get(key)?.policy ?? null;
  }

  get size(): number {
    return this.#byKey.size;
  }

  entries(): Iterable<CompiledPolicy> {
    return this.#byKey.values();
  }

  /** Keys of policies for a whole namespace; with the empty text, of those for all namespaces. */
  keysOfNamespace(namespace: string): readonly PolicyKey[] {
    return [...this.#byNamespace.get(namespace)?.keys() ?? []];
  }

  /** Adds a policy in place of its last version. A version that has decided stays where the content is the same. */
  insert(key: PolicyKey, policy: Policy): void {
    const old = this.#byKey.get(key);
    if (old?.hasDecided === true && old.revision === revisionOf(key, policy)) return;
    this.remove(key);
    const compiled = new CompiledPolicy(key, policy, this.#now());
    this.#byKey.set(key, compiled);
    const bucket = bucketOf(policy);
    if (bucket === null) return;
    let members = this.#byNamespace.get(bucket);
    if (members === undefined) this.#byNamespace.set(bucket, members = new Map());
    members.set(key, compiled);
  }

  /** Removes a policy. False: it was not there. */
  remove(key: PolicyKey): boolean {
    const old = this.#byKey.get(key);
    this.#sets = new WeakMap();
    if (old === undefined) return false;
    this.retired.add(old, this.#now());
    this.#byKey.delete(key);
    const bucket = bucketOf(old.policy);
    if (bucket === null) return true;
    const members = this.#byNamespace.get(bucket)!;
    members.delete(key);
    if (members.size === 0) this.#byNamespace.delete(bucket);
    return true;
  }

  clear(): void {
    const now = this.#now();
    for (const policy of this.#byKey.values()) this.retired.add(policy, now);
    this.#byKey.clear();
    this.#byNamespace.clear();
    this.#sets = new WeakMap();
  }

  /** The policies that apply to `workload`. */
  forWorkload(workload: Workload): PolicySet {
    let set = this.#sets.get(workload);
    if (set === undefined) this.#sets.set(workload, set = this.#collect(workload));
    return set;
  }

  #collect(workload: Workload): PolicySet {
    const { namespace } = workload;
    const candidates = new Set<CompiledPolicy>(namespace === "" ? [] : this.#byNamespace.get(namespace)?.values());
    for (const policy of this.#byNamespace.get("")?.values() ?? []) candidates.add(policy);
    const unknown: PolicyKey[] = [];
    for (const key of workload.authorizationPolicies) {
      const policy = this.#byKey.get(key);
      if (policy === undefined) unknown.push(key);
      else candidates.add(policy);
    }
    const all = [...candidates];
    const pick = (action: Policy["action"], dryRun: boolean) =>
      all.filter(({ policy }) => policy.action === action && policy.dryRun === dryRun);
    return {
      deny: pick("Deny", false),
      dryRunDeny: pick("Deny", true),
      allow: pick("Allow", false),
      dryRunAllow: pick("Allow", true),
      unknown,
    };
  }
}

function bucketOf(policy: Policy): string | null {
  switch (policy.scope) {
    case "Global":
      return "";
    case "Namespace":
      return policy.namespace;
    case "WorkloadSelector":
      return null;
    default:
      return policy.scope satisfies never;
  }
}
