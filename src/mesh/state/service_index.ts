/** Services by key, host name and virtual address, and endpoints whose service has not arrived yet. */
import type { Ip } from "../../net/address.ts";
import type { Endpoint, NamespacedHostname, Service, WorkloadUid } from "../model/model.ts";
import { HEAD, type Location, NOWHERE } from "../records/record_memory.ts";
import type { RecordReader } from "../records/record_reader.ts";
import { isServiceNamed, readService, SERVICE } from "../records/service_record.ts";
import { hashOfAddress, hashOfText } from "../records/text_hash.ts";
import { eachService, WORKLOAD } from "../records/workload_record.ts";
import { CidrTable } from "./cidr_table.ts";
import { columnFor, Numbers } from "./columns.ts";
import { EndpointLists } from "./endpoint_lists.ts";
import { HolderLists } from "./holder_lists.ts";
import { RecentValues } from "./recent_values.ts";
import type { RecordSnapshot } from "./record_snapshot.ts";
import { RecordTable } from "./record_table.ts";
import { bestService } from "./service_choice.ts";
import { type Endpoints, ServiceEntry } from "./service_entry.ts";
import type { WorkloadIndex } from "./workload_index.ts";

/** Services that stay decoded, with what was derived from their endpoints. */
const ENTRIES = 2048;

/** All services of the mesh with their endpoints. */
export class ServiceIndex {
  readonly #reader: RecordReader;
  readonly #seed: number;
  readonly #workloads: WorkloadIndex;
  readonly #table: RecordTable<Service>;
  readonly #entries = new RecentValues<ServiceEntry>(ENTRIES);
  /** By host name in lower case. Lists are in order of arrival; a service that is sent again moves to the end. */
  readonly #byHostname = new HolderLists();
  /** Several services of one namespace may share an address (`docs/spec/xds-state.md` 8.1 Q2). */
  readonly #byVip = new HolderLists();
  readonly #byCidr = new CidrTable((id) => this.#entry(id));
  readonly #endpoints: EndpointLists;
  readonly #listNumbers = new Numbers();
  /** The list of each service, and (plus one) the service of each list. */
  #listOf = new Uint32Array(0);
  #serviceOf = new Uint32Array(0);
  /** Lists with endpoints whose service has not arrived, and their keys. */
  readonly #staged = new Map<NamespacedHostname, number>();
  readonly #stagedKeys = new Map<number, NamespacedHostname>();

  constructor(reader: RecordReader, seed: number, workloads: WorkloadIndex) {
    this.#reader = reader;
    this.#seed = seed;
    this.#workloads = workloads;
    this.#table = new RecordTable(reader, seed, (at) => readService(reader, at));
    this.#endpoints = new EndpointLists(workloads);
  }

  get size(): number {
    return this.#table.size;
  }

  /** How many (network, ip) keys are known. */
  get vips(): number {
    return this.#byVip.size;
  }

  get cidrVips(): number {
    return this.#byCidr.size;
  }

  get(key: NamespacedHostname): ServiceEntry | null {
    const id = this.#table.find(key);
    return id < 0 ? null : this.#entry(id);
  }

  /** All services. Services may be added and removed meanwhile. */
  *values(): Generator<ServiceEntry, void, undefined> {
    for (const id of this.#table.ids()) yield this.#entries.get(id) ?? this.#newEntry(id);
  }

  /** Services of a namespace with this name. Null: any. Only those are decoded. */
  *named(namespace: string, name: string | null): Generator<ServiceEntry, void, undefined> {
    for (const id of this.#table.ids()) {
      if (!isServiceNamed(this.#reader, this.#table.location(id), namespace, name)) continue;
      yield this.#entries.get(id) ?? this.#newEntry(id);
    }
  }

  /** The services of this moment, without endpoints. To be closed. */
  snapshot(): RecordSnapshot<Service> {
    return this.#table.snapshot();
  }

  #entry(id: number): ServiceEntry {
    let entry = this.#entries.get(id);
    if (entry === undefined) this.#entries.set(id, entry = this.#newEntry(id));
    return entry;
  }

  #newEntry(id: number): ServiceEntry {
    const service = readService(this.#reader, this.#table.location(id));
    return new ServiceEntry(service, this.#endpoints.endpoints(this.#listOf[id]!, service.key));
  }

  /** Endpoints whose service has not arrived. */
  get staged(): ReadonlyMap<NamespacedHostname, Endpoints> {
    return new Map([...this.#staged].map(([key, list]) => [key, this.#endpoints.endpoints(list, key)]));
  }

  /** All services of one host name (in lower case), in order of arrival. */
  listByHostname(hostname: string): readonly ServiceEntry[] {
    const hash = hashOfText(this.#seed, hostname);
    for (let i = 0;; i++) {
      const first = this.#byHostname.nth(hash, i);
      if (first < 0) return [];
      if (this.#hostname(this.#byHostname.holder(first)) === hostname) return this.#holders(this.#byHostname, first);
    }
  }

  /** The best service with this address. Blocks count only where no exact address belongs to a visible service. */
  byVip(network: string, ip: Ip, clientNamespace: string | null): ServiceEntry | null {
    const hash = hashOfAddress(this.#seed, network, ip);
    for (let i = 0;; i++) {
      const first = this.#byVip.nth(hash, i);
      if (first < 0) break;
      const { service } = this.#entry(this.#byVip.holder(first));
      if (!service.vips.some((vip) => vip.network === network && vip.ip === ip)) continue;
      const best = bestService(this.#holders(this.#byVip, first), clientNamespace);
      if (best !== null) return best;
      break;
    }
    return this.#byCidr.find(network, ip, clientNamespace);
  }

  #holders(lists: HolderLists, first: number): ServiceEntry[] {
    const found: ServiceEntry[] = [];
    for (let at = first; at >= 0; at = lists.next(at)) found.push(this.#entry(lists.holder(at)));
    return found;
  }

  /**
   * Adds or replaces a service. It takes over the endpoints of the old value and the staged ones. `embedded`: endpoints
   * that the service's own value lists. Returns the old record.
   */
  insert(at: Location, embedded: readonly Endpoint[]): Location {
    const old = this.#table.findLike(at);
    const replaced = old < 0 ? NOWHERE : this.#table.location(old);
    const list = old < 0 ? this.#listFor(this.#table.keyAt(at) as NamespacedHostname) : this.#listOf[old]!;
    if (old >= 0) this.#unindex(old);
    const id = this.#table.add(at);
    this.#listOf = columnFor(this.#listOf, id);
    this.#serviceOf = columnFor(this.#serviceOf, list);
    this.#listOf[id] = list;
    this.#serviceOf[list] = id + 1;
    this.#index(id, at);
    if (!this.#acceptsAll(id)) this.#endpoints.removeUnhealthy(list);
    for (const endpoint of embedded) this.#insertEmbedded(endpoint, id);
    return replaced;
  }

  /** Returns the list that waits for this service, else a new one. */
  #listFor(key: NamespacedHostname): number {
    const list = this.#staged.get(key);
    if (list === undefined) return this.#listNumbers.take();
    this.#unstage(list);
    return list;
  }

  #unstage(list: number): void {
    this.#staged.delete(this.#stagedKeys.get(list)!);
    this.#stagedKeys.delete(list);
  }

  /**
   * Removes a service and its endpoints, which come back with their workloads only (`docs/spec/xds-state.md` 3.4).
   * Returns its record; nowhere: the service was not there.
   */
  remove(key: NamespacedHostname): Location {
    const id = this.#table.find(key);
    const list = id < 0 ? this.#staged.get(key) : this.#listOf[id]!;
    if (list !== undefined) this.#endpoints.clearList(list);
    if (id < 0) {
      if (list !== undefined) this.#dropStaged(list);
      return NOWHERE;
    }
    const at = this.#table.location(id);
    this.#unindex(id);
    this.#serviceOf[list!] = 0;
    this.#listNumbers.giveBack(list!);
    return at;
  }

  #dropStaged(list: number): void {
    this.#unstage(list);
    this.#listNumbers.giveBack(list);
  }

  /** Adds the workload to the services for which it has ports. It must not be an endpoint. */
  addEndpoints(workload: number): void {
    const at = this.#workloads.location(workload);
    const isHealthy = (this.#workloads.flags(workload) & WORKLOAD.unhealthy) === 0;
    eachService(this.#reader, at, (key, hash) => {
      const id = this.#table.findHashed(hash, key);
      if (id < 0) return this.#stage(workload, key);
      const list = this.#listOf[id]!;
      if (isHealthy || this.#acceptsAll(id)) this.#endpoints.add(workload, list);
      else this.#endpoints.removeFrom(this.#workloads.uid(workload), list);
      this.#entries.get(id)?.invalidate();
    });
  }

  #stage(workload: number, key: NamespacedHostname): void {
    let list = this.#staged.get(key);
    if (list === undefined) {
      list = this.#listNumbers.take();
      this.#serviceOf = columnFor(this.#serviceOf, list);
      this.#serviceOf[list] = 0;
      this.#staged.set(key, list);
      this.#stagedKeys.set(list, key);
    }
    this.#endpoints.add(workload, list);
  }

  #insertEmbedded(endpoint: Endpoint, id: number): void {
    const list = this.#listOf[id]!;
    if (endpoint.status === "Healthy" || this.#acceptsAll(id)) this.#endpoints.embed(endpoint, list);
    else this.#endpoints.removeFrom(endpoint.workloadUid, list);
  }

  /** Removes a workload that changes or goes from the services, except for those that list it themselves. */
  removeEndpoints(workload: number): void {
    for (const list of this.#endpoints.removeWorkload(workload)) {
      this.#invalidate(list);
      if (this.#stagedKeys.has(list) && this.#endpoints.size(list) === 0) this.#dropStaged(list);
    }
  }

  /** Drops what was derived in services that list this workload themselves. */
  invalidateEmbedding(uid: () => WorkloadUid): void {
    if (!this.#endpoints.hasEmbedded) return;
    for (const list of this.#endpoints.embeddingLists(uid())) this.#invalidate(list);
  }

  /** Drops what was derived from the endpoints of a workload. */
  invalidateEndpoints(workload: number): void {
    for (const list of this.#endpoints.listsOf(workload)) this.#invalidate(list);
    this.invalidateEmbedding(() => this.#workloads.uid(workload));
  }

  #invalidate(list: number): void {
    const id = this.#serviceOf[list]! - 1;
    if (id >= 0) this.#entries.get(id)?.invalidate();
  }

  #acceptsAll(id: number): boolean {
    return (this.#table.flags(id) & SERVICE.allowAll) !== 0;
  }

  #index(id: number, at: Location): void {
    const { memory } = this.#reader;
    const addresses = memory.head(at, HEAD.addresses);
    const hostnameHash = memory.head(at, HEAD.lists + addresses);
    const isBefore = () => true;
    this.#byHostname.add(hostnameHash, id, (other) => this.#hostname(other) === this.#hostname(id), isBefore);
    for (let i = 0; i < addresses; i++) {
      const hash = memory.head(at, HEAD.lists + i);
      this.#byVip.add(hash, id, (other) => this.#shareVip(id, other, hash), isBefore);
    }
    if (this.#table.flags(id) & SERVICE.hasCidrVips) {
      for (const vip of this.#entry(id).service.cidrVips) this.#byCidr.insert(vip, id);
    }
  }

  #hostname(id: number): string {
    return this.#entry(id).service.hostname.toLowerCase();
  }

  #shareVip(one: number, other: number, hash: number): boolean {
    const theirs = this.#entry(other).service.vips;
    return this.#entry(one).service.vips.some(({ network, ip }) =>
      hashOfAddress(this.#seed, network, ip) === hash && theirs.some((vip) => vip.network === network && vip.ip === ip)
    );
  }

  #unindex(id: number): void {
    const { memory } = this.#reader;
    const at = this.#table.location(id);
    const addresses = memory.head(at, HEAD.addresses);
    for (let i = 0; i < addresses; i++) this.#byVip.remove(memory.head(at, HEAD.lists + i), id);
    this.#byHostname.remove(memory.head(at, HEAD.lists + addresses), id);
    if (this.#table.flags(id) & SERVICE.hasCidrVips) {
      for (const vip of this.#entry(id).service.cidrVips) this.#byCidr.remove(vip, id);
    }
    this.#entries.delete(id);
    this.#table.remove(id);
  }

  /** The record has been moved. */
  moved(from: Location, to: Location): void {
    this.#table.moved(from, to);
  }

  clear(): void {
    this.#table.clear();
    this.#entries.clear();
    this.#byHostname.clear();
    this.#byVip.clear();
    this.#byCidr.clear();
    this.#endpoints.clear();
    this.#listNumbers.clear();
    this.#staged.clear();
    this.#stagedKeys.clear();
    this.#listOf = new Uint32Array(0);
    this.#serviceOf = new Uint32Array(0);
  }
}
