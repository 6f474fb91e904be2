/**
 * Which policies a workload names after the changes.
 *
 * The control plane decides that by labels, which it does not send to proxies. Where the files have the pod, its labels
 * are used. Otherwise a policy that is there keeps its workloads, and a new one is matched by the canonical name and
 * revision, which Istio takes from the usual labels. A label that says nothing about those is assumed to be there.
 */
import type { Labels, PeerAuthentication } from "../istio_policies/objects.ts";
import {
  applicable,
  convertedKey,
  enforced,
  isOfPeerAuthentication,
  strictKey,
} from "../istio_policies/peer_policies.ts";
import { selectsSome } from "../istio_policies/references.ts";
import { selects } from "../istio_policies/metadata.ts";
import { type PolicyKey, policyKey, type Workload } from "../model/model.ts";
import type { Deletion, PolicyChanges } from "./policy_changes.ts";

const CANONICAL: Readonly<Record<string, "canonicalName" | "canonicalRevision" | undefined>> = {
  __proto__: null as never,
  "app": "canonicalName",
  "app.kubernetes.io/name": "canonicalName",
  "service.istio.io/canonical-name": "canonicalName",
  "version": "canonicalRevision",
  "app.kubernetes.io/version": "canonicalRevision",
  "service.istio.io/canonical-revision": "canonicalRevision",
};

/** A PeerAuthentication that stands for those of the mesh or the namespace, which are not among the files. */
function strictMesh(root: string): PeerAuthentication {
  return {
    kind: "PeerAuthentication",
    namespace: root,
    name: "",
    selector: null,
    created: null,
    mode: "STRICT",
    ports: [],
  };
}

/** Decides for one set of changes. */
export class Selection {
  readonly #changes: PolicyChanges;
  readonly #isPolicy: (key: PolicyKey) => boolean;
  /** Without those that are deleted. */
  readonly authentications: readonly PeerAuthentication[];
  readonly #peerDeletions: readonly Deletion[];
  readonly #changedKeys: ReadonlySet<PolicyKey>;
  /** The policies with a selector, by their namespace. */
  readonly #selecting = new Map<string, { readonly key: PolicyKey; readonly selector: Labels }[]>();
  readonly #assumptions = new Set<string>();
  readonly #after = new WeakMap<Workload, Workload>();

  /** `isPolicy`: whether the mesh has this policy now, with a selector. */
  constructor(changes: PolicyChanges, isPolicy: (key: PolicyKey) => boolean) {
    this.#changes = changes;
    this.#isPolicy = isPolicy;
    this.#peerDeletions = changes.deletions.filter(({ kind }) => kind === "PeerAuthentication");
    this.authentications = changes.authentications.filter((each) =>
      !this.#peerDeletions.some((one) => isSame(one, each))
    );
    this.#changedKeys = new Set([
      ...changes.policies,
      ...changes.deletions.filter(({ kind }) => kind === "AuthorizationPolicy"),
    ].map((each) => policyKey(`${each.namespace}/${each.name}`)));
    for (const { policy, selector, namespace, name } of changes.policies) {
      if (policy === null || selector === null || !selectsSome(selector)) continue;
      const list = this.#selecting.get(namespace) ?? [];
      list.push({ key: policyKey(`${namespace}/${name}`), selector });
      this.#selecting.set(namespace, list);
    }
  }

  /** What had to be assumed for the workloads so far. */
  get assumptions(): readonly string[] {
    return [...this.#assumptions];
  }

  /** The workload with the policies that it names afterwards. The same object for the same workload. */
  after(workload: Workload): Workload {
    let after = this.#after.get(workload);
    if (after === undefined) this.#after.set(workload, after = this.#changed(workload));
    return after;
  }

  #changed(workload: Workload): Workload {
    const peerKeys = this.#peerKeys(workload);
    const isKept = (key: PolicyKey) =>
      !this.#changedKeys.has(key) && (peerKeys === null || !isOfPeerAuthentication(key));
    const kept = workload.authorizationPolicies.filter(isKept);
    const near = new Set([workload.namespace, this.#changes.root]);
    const added = [...near].flatMap((namespace) => this.#selecting.get(namespace) ?? [])
      .filter(({ key, selector }) => this.#selects(workload, selector, key)).map(({ key }) => key);
    const keys = [...kept, ...added, ...peerKeys ?? []];
    const same = keys.length === workload.authorizationPolicies.length &&
      keys.every((key) => workload.authorizationPolicies.includes(key));
    return same ? workload : { ...workload, authorizationPolicies: keys };
  }

  /** `key`: of the policy that the mesh has for the object with this selector. */
  #selects(workload: Workload, selector: Labels, key: PolicyKey): boolean {
    const labels = this.#changes.pods.get(`${workload.namespace}/${workload.name}`);
    if (labels !== undefined) return selects(selector, labels);
    if (this.#isPolicy(key)) {
      this.#assumptions.add(`${key} selects the workloads that it selects now`);
      return workload.authorizationPolicies.includes(key);
    }
    const unknown = Object.keys(selector).filter((label) => CANONICAL[label] === undefined);
    this.#assumptions.add(
      unknown.length === 0
        ? `${key} selects workloads by canonical name and revision: the labels of pods are not known`
        : `${key} selects workloads whatever their label ${unknown.join(", ")}: the labels of pods are not known`,
    );
    return Object.entries(selector).every(([label, value]) => {
      const field = CANONICAL[label];
      return field === undefined || workload[field] === value;
    });
  }

  /** The policies of PeerAuthentications afterwards. Null: those of now. */
  #peerKeys(workload: Workload): readonly PolicyKey[] | null {
    const { root } = this.#changes;
    if (this.#changes.authentications.length + this.#peerDeletions.length === 0) return null;
    const { namespace, authorizationPolicies: now } = workload;
    const applies = this.#applicable(this.authentications, workload);
    const isDeleted = this.#peerDeletions.some((each) => this.#isConcerned(workload, each));
    if (applies.length === 0 && !isDeleted) return null;
    const isOuterKnown = applies.some(({ selector }) => selector === null);
    const isOuterDeleted =
      this.#peerDeletions.some((each) => each.namespace === root || each.namespace === namespace) && isDeleted;
    const keepsStrict = !isOuterKnown && !isOuterDeleted && now.includes(strictKey(root));
    const all = keepsStrict ? [...applies, strictMesh(root)] : applies;
    const own = now.filter((key) => isOfPeerAuthentication(key) && key !== strictKey(root));
    const unknownOwn = own.filter((key) =>
      !this.#changes.authentications.some((each) => convertedKey(each) === key) &&
      !this.#peerDeletions.some((each) => convertedKey(each) === key)
    );
    const hasOwn = applies.some(({ selector }) => selector !== null && selectsSome(selector));
    if (unknownOwn.length > 0 && !hasOwn) {
      this.#assumptions.add(`${unknownOwn.join(", ")} stays as it is: its PeerAuthentication is not among the files`);
      return unknownOwn;
    }
    this.#assumptions.add("no PeerAuthentications exist besides those in the files and those whose effect is visible");
    return enforced(all, root);
  }

  #applicable(all: readonly PeerAuthentication[], workload: Workload): readonly PeerAuthentication[] {
    const { root, pods } = this.#changes;
    const labels = pods.get(`${workload.namespace}/${workload.name}`);
    if (labels !== undefined) return applicable(all, workload.namespace, labels, root);
    const near = all.filter(({ namespace }) => namespace === workload.namespace || namespace === root);
    return near.filter((each) =>
      each.selector === null ||
      each.namespace === workload.namespace && this.#selects(workload, each.selector, convertedKey(each))
    );
  }

  /** Whether the object that is deleted is for this workload. */
  #isConcerned(workload: Workload, deletion: Deletion): boolean {
    const { root, authentications } = this.#changes;
    const given = authentications.find((each) => isSame(each, deletion));
    if (given !== undefined) return this.#applicable([given], workload).length > 0;
    if (this.#isPolicy(convertedKey(deletion))) return workload.authorizationPolicies.includes(convertedKey(deletion));
    this.#assumptions.add(`PeerAuthentication ${deletion.namespace}/${deletion.name} has no selector`);
    return deletion.namespace === root || deletion.namespace === workload.namespace;
  }
}

function isSame(a: { readonly namespace: string; readonly name: string }, b: typeof a): boolean {
  return a.namespace === b.namespace && a.name === b.name;
}
