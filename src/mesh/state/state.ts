/**
 * The mesh as this proxy holds it: one store, changed in batches, read by `resolve` and `authorize`.
 *
 * The store is used by one thread, so readers always see whole batches. Within a batch the order of workloads and
 * services does not matter: endpoints are kept until their service arrives (`docs/spec/xds-state.md` 3).
 */
import type { Ip } from "../../net/address.ts";
import type { Clock } from "../../net/clock.ts";
import type { MeshChange } from "../model/changes.ts";
import {
  type Endpoint,
  type NamespacedHostname,
  parseNamespacedHostname,
  type Policy,
  type PolicyKey,
  type Service,
  type Workload,
  type WorkloadUid,
} from "../model/model.ts";
import { EndpointHealth } from "./endpoint_health.ts";
import { Placements } from "./placement.ts";
import { PlaceWatches } from "./place_watch.ts";
import type { CompiledPolicy } from "../policy/matcher.ts";
import type { RetiredPolicies } from "../policy/retired_policies.ts";
import { type PolicySet, PolicyStore } from "../policy/store.ts";
import type { RecordSnapshot } from "./record_snapshot.ts";
import { bestService } from "./service_choice.ts";
import type { ServiceEntry } from "./service_entry.ts";
import { ServiceIndex } from "./service_index.ts";
import { WorkloadIndex } from "./workload_index.ts";
import { RecordArena } from "../records/record_arena.ts";
import {
  HEAD,
  IS_SERVICE,
  type Location,
  NOWHERE,
  OWN_SEGMENTS,
  RecordMemory,
  segmentNumber,
  segmentOf,
} from "../records/record_memory.ts";
import { RecordReader } from "../records/record_reader.ts";
import { RecordWriter } from "../records/record_writer.ts";
import { TextTable } from "../records/text_table.ts";
import { hashOfAddress } from "../records/text_hash.ts";
import { writeService } from "../records/service_record.ts";
import { writeWorkload } from "../records/workload_record.ts";

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
  readonly #seed: number;
  readonly #memory = new RecordMemory();
  readonly #arena = new RecordArena(this.#memory, "own");
  readonly #texts = new TextTable();
  readonly #writer = new RecordWriter(this.#texts);
  readonly #workloads: WorkloadIndex;
  readonly #services: ServiceIndex;
  readonly #policies: PolicyStore;
  readonly #listeners = new Set<MeshListener>();
  /** What the batch in progress has changed. */
  #changed = { localWorkloads: false, policies: false };
  readonly placements = new Placements();
  /** Endpoints that connections avoid; null: there are no connections, as with a dump. */
  readonly health: EndpointHealth | null;
  readonly #places = new PlaceWatches();
  #freshness: Freshness = "current";

  /**
   * `localNode`: the name of this node; null: every workload counts as local. `clock`: for {@link health}, and policies.
   * `seed`: of hashes, a random 32-bit number where others choose names and addresses; that of the shared records.
   */
  constructor(localNode: string | null = null, clock: Clock | null = null, seed = 0) {
    const reader = new RecordReader(this.#memory);
    this.#seed = seed;
    this.#workloads = new WorkloadIndex(reader, seed, localNode);
    this.#services = new ServiceIndex(reader, seed, this.#workloads);
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
    this.#arena.compact((from, to) => this.#moved(from, to));
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
    if (workload === null) return () => {};
    return this.#places.watch(workload, ip, hashOfAddress(this.#seed, workload.network, ip), onLost);
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
    const workload = this.#workloads.find(uid);
    if (workload >= 0) this.#services.invalidateEndpoints(workload);
  }

  #apply(change: MeshChange, warnings: string[]): void {
    switch (change.kind) {
      case "workload":
        return this.#upsertWorkload(this.#add(writeWorkload(this.#writer, this.#seed, change)));
      case "service":
        return this.#upsertService(this.#add(writeService(this.#writer, this.#seed, change.service)), change.endpoints);
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
      case "segment":
        return this.#memory.set(change.number, change.memory === null ? null : segmentOf(change.memory));
      case "texts":
        return this.#memory.addTexts("shared", change.texts);
      case "record":
        return this.#isService(change.at) ? this.#upsertService(change.at, []) : this.#upsertWorkload(change.at);
      case "moved-record":
        return this.#moved(change.from, change.to);
      default:
        return change satisfies never;
    }
  }

  /** Adds a record to the memory of this isolate's own. */
  #add(record: Uint8Array): Location {
    this.#memory.addTexts("own", this.#texts.takeAdded());
    return this.#arena.add(record);
  }

  #isService(at: Location): boolean {
    return (this.#memory.head(at, HEAD.flags) & IS_SERVICE) !== 0;
  }

  #upsertWorkload(at: Location): void {
    const old = this.#workloads.findLike(at);
    if (old >= 0) this.#removeWorkload(old);
    else this.#services.invalidateEmbedding(() => this.#workloads.uidAt(at));
    const id = this.#workloads.insert(at);
    if (this.#places.size > 0) this.#places.added(this.#workloads.addressHashes(at));
    this.#services.addEndpoints(id);
    if (this.#workloads.isLocal(id)) this.#changed.localWorkloads = true;
  }

  #removeWorkload(id: number): void {
    const uid = () => this.#workloads.uid(id);
    if (this.#places.size > 0) this.#places.removed(uid());
    if (this.health !== null && this.health.size > 0) this.health.remove(uid());
    this.#services.invalidateEmbedding(uid);
    this.#services.removeEndpoints(id);
    if (this.#workloads.isLocal(id)) this.#changed.localWorkloads = true;
    const at = this.#workloads.location(id);
    this.#workloads.remove(id);
    this.#release(at);
  }

  #upsertService(at: Location, endpoints: readonly Endpoint[]): void {
    this.#release(this.#services.insert(at, endpoints));
  }

  /** The record is not used any more. Those in shared memory are released by the isolate that has written them. */
  #release(at: Location): void {
    if (segmentNumber(at) < OWN_SEGMENTS) return;
    this.#arena.retire(at);
    this.#arena.release(at);
  }

  /** False: it was not there. */
  #removeService(key: NamespacedHostname): boolean {
    const at = this.#services.remove(key);
    this.#release(at);
    return at !== NOWHERE;
  }

  #removeAddress(name: string, warnings: string[]): void {
    const workload = this.#workloads.find(name as WorkloadUid);
    if (workload >= 0) return this.#removeWorkload(workload);
    const parsed = parseNamespacedHostname(name);
    if (parsed === null) {
      warnings.push("tried to remove service but it did not have the expected namespace/hostname format");
      return;
    }
    // No warning for an unknown uid, which has more slashes, nor for an empty namespace, which is the negative answer
    // to a lookup by address.
    if (parsed.hostname.includes("/") || this.#removeService(parsed.key) || parsed.namespace === "") return;
    warnings.push("tried to remove service, but it was not found");
  }

  #moved(from: Location, to: Location): void {
    (this.#isService(to) ? this.#services : this.#workloads).moved(from, to);
    this.#release(from);
  }

  #clear(): void {
    this.#workloads.clear();
    this.#places.cleared();
    this.health?.close();
    this.#services.clear();
    this.#policies.clear();
    this.#arena.clear();
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

  /**
   * Workloads of a namespace with this name, or of a workload (such as a Deployment) of this name. Null: any. Takes 10 ms
   * for 100,000 workloads, a tenth of a walk over {@link workloads}.
   */
  workloadsNamed(namespace: string | null, name: string | null): Iterable<Workload> {
    return this.#workloads.named(namespace, name);
  }

  /** Services of a namespace with this name (null: any). */
  servicesNamed(namespace: string, name: string | null): Iterable<ServiceEntry> {
    return this.#services.named(namespace, name);
  }

  /** Workloads and services as they are now, for a reader that takes its time. To be closed. */
  snapshot(): { readonly workloads: RecordSnapshot<Workload>; readonly services: RecordSnapshot<Service> } {
    return { workloads: this.#workloads.snapshot(), services: this.#services.snapshot() };
  }

  /** Uids of the workloads that are not ready. */
  unhealthyWorkloads(): Iterable<WorkloadUid> {
    return this.#workloads.unhealthy();
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

  /** Bytes of workloads and services in memory of this isolate's own, and of that memory. */
  get recordBytes(): RecordArena["bytes"] {
    return this.#arena.bytes;
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
