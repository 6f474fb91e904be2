/**
 * The mesh as this proxy holds it: one store, changed in batches, read by `resolve` and `authorize`.
 *
 * The store is used by one thread, so readers always see whole batches. Within a batch the order of workloads and
 * services does not matter: endpoints are kept until their service arrives (`docs/spec/xds-state.md` 3).
 */
import type { Ip } from "../../net/address.ts";
import type { Clock } from "../../net/clock.ts";
import type { MeshChange, WorkloadChange } from "../model/changes.ts";
import {
  type NamespacedHostname,
  parseNamespacedHostname,
  type Policy,
  type PolicyKey,
  type Workload,
  type WorkloadUid,
} from "../model/model.ts";
import { EndpointHealth } from "./endpoint_health.ts";
import { Placements } from "./placement.ts";
import { PlaceWatches } from "./place_watch.ts";
import type { CompiledPolicy } from "../policy/matcher.ts";
import type { RetiredPolicies } from "../policy/retired_policies.ts";
import { type PolicySet, PolicyStore } from "../policy/store.ts";
import { bestService } from "./service_choice.ts";
import type { ServiceEntry } from "./service_entry.ts";
import { ServiceIndex } from "./service_index.ts";
import { WorkloadIndex } from "./workload_index.ts";

/**
 * "current": the control plane is connected and has answered. "stale": it is disconnected, and this is its last state.
 */
export type Freshness = "current" | "stale";

/** Callbacks, called once per batch and after it. */
interface MeshListener {
  /** A workload of this node was added, changed or removed, or {@link MeshState.freshness} changed. */
  localWorkloadsChanged?(): void;
  /** A policy was added, changed or removed: open connections have to be authorized again. */
  policiesChanged?(): void;
}

/** A workload, or a service with its endpoints. */
export type Found = Workload | ServiceEntry;

/** The mesh. Lookups return null where nothing is found. */
export class MeshState {
  readonly #workloads: WorkloadIndex;
  readonly #services = new ServiceIndex();
  readonly #policies: PolicyStore;
  readonly #listeners = new Set<MeshListener>();
  /** What the batch in progress has changed. */
  #changed = { localWorkloads: false, policies: false };
  readonly placements = new Placements();
  /** Endpoints that connections avoid; null: there are no connections, as with a dump. */
  readonly health: EndpointHealth | null;
  readonly #places = new PlaceWatches();
  #freshness: Freshness = "current";

  /** `localNode`: the name of this node; null: every workload counts as local. `clock`: for {@link health}, and policies. */
  constructor(localNode: string | null = null, clock: Clock | null = null) {
    this.#workloads = new WorkloadIndex(localNode);
    this.#policies = new PolicyStore(clock === null ? undefined : () => clock.now());
    this.health = clock === null ? null : new EndpointHealth(clock, (uid) => this.#healthChanged(uid));
  }

  /** Adds a listener. The returned function removes it. */
  subscribe(listener: MeshListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Applies a batch, then notifies the listeners. Returns warnings for the log. */
  apply(changes: readonly MeshChange[]): readonly string[] {
    const warnings: string[] = [];
    for (const change of changes) this.#apply(change, warnings);
    const changed = this.#changed;
    this.#changed = { localWorkloads: false, policies: false };
    for (const listener of [...this.#listeners]) {
      if (changed.localWorkloads) listener.localWorkloadsChanged?.();
      if (changed.policies) listener.policiesChanged?.();
    }
    this.#places.settle(this.#workloads);
    return warnings;
  }

  /**
   * Calls `onLost` once, after the batch that removes the workload or gives `ip` to another one. The returned function
   * ends the watch.
   */
  watchPlace(uid: WorkloadUid, ip: Ip, onLost: () => void): () => void {
    const workload = this.#workloads.get(uid);
    return workload === null ? () => {} : this.#places.watch(workload, ip, onLost);
  }

  get freshness(): Freshness {
    return this.#freshness;
  }

  /** To be called when the control plane disconnects, and when its first answer after that is applied. */
  setFreshness(freshness: Freshness): void {
    if (freshness === this.#freshness) return;
    this.#freshness = freshness;
    for (const listener of [...this.#listeners]) listener.localWorkloadsChanged?.();
  }

  #healthChanged(uid: WorkloadUid): void {
    const workload = this.#workloads.get(uid);
    if (workload !== null) this.#services.invalidateEndpoints(workload);
  }

  #apply(change: MeshChange, warnings: string[]): void {
    switch (change.kind) {
      case "workload":
        return this.#upsertWorkload(change);
      case "service":
        return this.#services.insert(change.service, change.endpoints);
      case "policy":
        this.#policies.insert(change.key, change.policy);
        this.#changed.policies = true;
        return;
      case "remove-address":
        return this.#removeAddress(change.name, warnings);
      case "remove-policy":
        this.#policies.remove(change.key);
        this.#changed.policies = true;
        return;
      case "clear":
        return this.#clear();
      default:
        return change satisfies never;
    }
  }

  #upsertWorkload({ workload, endpoints }: WorkloadChange): void {
    const old = this.#removeWorkload(workload.uid);
    if (old === null) this.#services.removeEndpoints(workload.uid, null);
    this.#workloads.insert(workload);
    this.#places.added(workload);
    this.#services.addEndpoints(workload, endpoints);
    if (this.#workloads.isLocal(workload)) this.#changed.localWorkloads = true;
  }

  #removeWorkload(uid: WorkloadUid): Workload | null {
    const old = this.#workloads.remove(uid);
    if (old === null) return null;
    this.#places.removed(uid);
    this.health?.remove(uid);
    this.#services.removeEndpoints(uid, old);
    if (this.#workloads.isLocal(old)) this.#changed.localWorkloads = true;
    return old;
  }

  #removeAddress(name: string, warnings: string[]): void {
    if (this.#removeWorkload(name as WorkloadUid) !== null) return;
    const parsed = parseNamespacedHostname(name);
    if (parsed === null) {
      warnings.push("tried to remove service but it did not have the expected namespace/hostname format");
      return;
    }
    // No warning for an unknown uid, which has more slashes, nor for an empty namespace, which is the negative answer
    // to a lookup by address.
    if (parsed.hostname.includes("/") || this.#services.remove(parsed.key) || parsed.namespace === "") return;
    warnings.push("tried to remove service, but it was not found");
  }

  #clear(): void {
    this.#workloads.clear();
    this.#places.cleared();
    this.health?.close();
    this.#services.clear();
    this.#policies.clear();
    this.#changed = { localWorkloads: true, policies: true };
  }

  workload(uid: WorkloadUid): Workload | null {
    return this.#workloads.get(uid);
  }

  workloadByAddress(network: string, ip: Ip): Workload | null {
    return this.#workloads.byAddress(network, ip);
  }

  /** Every workload, in no particular order. */
  workloads(): Iterable<Workload> {
    return this.#workloads.values();
  }

  /** A pod of this node by name and service account (`docs/spec/xds-state.md` 3.9). */
  findLocalWorkload(name: string, namespace: string, serviceAccount: string): Workload | null {
    for (const workload of this.#workloads.localByIdentity(namespace, serviceAccount)) {
      if (workload.name === name) return workload;
    }
    return null;
  }

  service(key: NamespacedHostname): ServiceEntry | null {
    return this.#services.get(key);
  }

  /** Every service with its endpoints. */
  services(): Iterable<ServiceEntry> {
    return this.#services.values();
  }

  /**
   * All services of one host name in lower case, in order of arrival. Upper and lower case in the services' own names
   * do not matter. For the DNS server, which ranks them by its own rules.
   */
  servicesByHostname(hostname: string): readonly ServiceEntry[] {
    return this.#services.listByHostname(hostname);
  }

  /** The best service with exactly this host name for a client of `clientNamespace` (null: any client). */
  serviceByHostname(
    hostname: string,
    clientNamespace: string | null,
    preferredServiceNamespace: string | null = null,
  ): ServiceEntry | null {
    const folded = this.#services.listByHostname(hostname.toLowerCase());
    const exact = folded.every(({ service }) => service.hostname === hostname)
      ? folded
      : folded.filter(({ service }) => service.hostname === hostname);
    return bestService(exact, clientNamespace, preferredServiceNamespace);
  }

  /** The best service with this virtual address for a client of `clientNamespace` (null: any client). */
  serviceByVip(network: string, ip: Ip, clientNamespace: string | null): ServiceEntry | null {
    return this.#services.byVip(network, ip, clientNamespace);
  }

  /** A workload with this address, else the best service with this virtual address. */
  findAddress(network: string, ip: Ip, clientNamespace: string | null): Found | null {
    return this.#workloads.byAddress(network, ip) ?? this.#services.byVip(network, ip, clientNamespace);
  }

  /** The service with exactly this key, else the first workload with this host name in this namespace. */
  findHostname(key: NamespacedHostname): Found | null {
    return this.#services.get(key) ?? this.#workloads.byHostname(key);
  }

  policy(key: PolicyKey): Policy | null {
    return this.#policies.get(key);
  }

  /** How many resources there are. */
  get size(): { readonly workloads: number; readonly services: number; readonly policies: number } {
    return { workloads: this.#workloads.size, services: this.#services.size, policies: this.#policies.size };
  }

  /** Every policy with its key. */
  policies(): Iterable<CompiledPolicy> {
    return this.#policies.entries();
  }

  /** Versions of policies that have decided and were replaced or removed lately. */
  get retiredPolicies(): RetiredPolicies {
    return this.#policies.retired;
  }

  /** Keys of policies for a whole namespace; with the empty text, of those for all namespaces. */
  policyKeysOfNamespace(namespace: string): readonly PolicyKey[] {
    return this.#policies.keysOfNamespace(namespace);
  }

  /** All policies that apply to the workload. */
  policiesFor(workload: Workload): PolicySet {
    return this.#policies.forWorkload(workload);
  }

  /** Endpoints whose service has not arrived. */
  get staged(): ServiceIndex["staged"] {
    return this.#services.staged;
  }

  /** Sizes of the indexes, for dumps and tests. */
  get sizes() {
    return {
      workloads: this.#workloads.size,
      addresses: this.#workloads.addresses,
      services: this.#services.size,
      vips: this.#services.vips,
      cidrVips: this.#services.cidrVips,
      staged: this.#services.staged.size,
    };
  }
}
