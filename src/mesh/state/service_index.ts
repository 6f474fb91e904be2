/** Services by key, host name and virtual address, and endpoints whose service has not arrived yet. */
import type { Ip } from "../../net/address.ts";
import { CidrTable } from "./cidr_table.ts";
import type { Endpoint, NamespacedHostname, PortMap, Service, Workload, WorkloadUid } from "../model/model.ts";
import { NetworkMap } from "./network_map.ts";
import { bestService } from "./service_choice.ts";
import { ServiceEntry } from "./service_entry.ts";
import { ShardedMap } from "./sharded_map.ts";
import { appended, without } from "./short_list.ts";

/** All services of the mesh with their endpoints. */
export class ServiceIndex {
  readonly #byKey = new ShardedMap<NamespacedHostname, ServiceEntry>();
  /** By host name in lower case. Lists are in order of arrival; a service that is sent again moves to the end. */
  readonly #byHostname = new ShardedMap<string, readonly ServiceEntry[]>();
  /** Several services of one namespace may share an address (`docs/spec/xds-state.md` 8.1 Q2). */
  readonly #byVip = new NetworkMap<readonly ServiceEntry[]>();
  readonly #byCidr = new CidrTable();
  readonly #staged = new Map<NamespacedHostname, Map<WorkloadUid, Endpoint>>();
  /** Services of workloads whose own value does not list exactly those services, as in a static file. */
  readonly #unlisted = new Map<WorkloadUid, readonly NamespacedHostname[]>();
  /**
   * Services whose own value lists a workload, as in a static file. Such an endpoint stays when the workload changes.
   */
  readonly #embedding = new Map<WorkloadUid, Set<NamespacedHostname>>();

  get size(): number {
    return this.#byKey.size;
  }

  /** How many (network, ip) keys are known. */
  get vips(): number {
    return this.#byVip.size;
  }

  get cidrVips(): number {
    return this.#byCidr.size;
  }

  get(key: NamespacedHostname): ServiceEntry | null {
    return this.#byKey.get(key) ?? null;
  }

  values(): Iterable<ServiceEntry> {
    return this.#byKey.values();
  }

  /** Endpoints whose service has not arrived. */
  get staged(): ReadonlyMap<NamespacedHostname, ReadonlyMap<WorkloadUid, Endpoint>> {
    return this.#staged;
  }

  /** All services of one host name (in lower case), in order of arrival. */
  listByHostname(hostname: string): readonly ServiceEntry[] {
    return this.#byHostname.get(hostname) ?? [];
  }

  /** The best service with this address. Blocks count only where no exact address belongs to a visible service. */
  byVip(network: string, ip: Ip, clientNamespace: string | null): ServiceEntry | null {
    return bestService(this.#byVip.get(network, ip), clientNamespace) ??
      this.#byCidr.find(network, ip, clientNamespace);
  }

  /**
   * Adds or replaces a service. It takes over the endpoints of the old value and the staged ones. `embedded`: endpoints
   * that the service's own value lists.
   */
  insert(service: Service, embedded: readonly Endpoint[]): void {
    const entry = new ServiceEntry(service);
    const old = this.#byKey.get(service.key);
    for (const endpoint of old?.endpoints.values() ?? []) entry.upsert(endpoint);
    for (const endpoint of this.#staged.get(service.key)?.values() ?? []) entry.upsert(endpoint);
    this.#staged.delete(service.key);
    if (old !== undefined) this.#unindex(old);
    this.#index(entry);
    for (const endpoint of embedded) this.#insertEmbedded(service.key, endpoint);
  }

  /**
   * Removes a service and its endpoints, which come back with their workloads only (`docs/spec/xds-state.md` 3.4).
   * False: the service was not there.
   */
  remove(key: NamespacedHostname): boolean {
    const entry = this.#byKey.get(key);
    for (const uid of entry?.endpoints.keys() ?? []) this.#removeEmbedding(uid, key);
    for (const uid of this.#staged.get(key)?.keys() ?? []) this.#removeEmbedding(uid, key);
    this.#staged.delete(key);
    if (entry === undefined) return false;
    this.#unindex(entry);
    return true;
  }

  /** Adds the workload to these services, with these ports. Its earlier value must have been removed before. */
  addEndpoints(workload: Workload, ports: ReadonlyMap<NamespacedHostname, PortMap>): void {
    const { uid, services, status } = workload;
    for (const [key, map] of ports) {
      this.#removeEmbedding(uid, key);
      this.#insertEndpoint(key, { workloadUid: uid, ports: map, status });
    }
    const listed = ports.size === services.length && services.every((key) => ports.has(key));
    if (!listed) this.#unlisted.set(uid, [...ports.keys()]);
  }

  #insertEmbedded(key: NamespacedHostname, endpoint: Endpoint): void {
    const uid = endpoint.workloadUid;
    const embedding = this.#embedding.get(uid);
    if (embedding === undefined) this.#embedding.set(uid, new Set([key]));
    else embedding.add(key);
    this.#insertEndpoint(key, endpoint);
  }

  #insertEndpoint(key: NamespacedHostname, endpoint: Endpoint): void {
    const uid = endpoint.workloadUid;
    const entry = this.#byKey.get(key);
    if (entry !== undefined) return entry.upsert(endpoint);
    const staged = this.#staged.get(key);
    if (staged === undefined) this.#staged.set(key, new Map([[uid, endpoint]]));
    else staged.set(uid, endpoint);
  }

  /**
   * Removes a workload that changes or goes from the services of its old value, and drops what was derived in services
   * that list it themselves. `old`: null where the workload was not known.
   */
  removeEndpoints(uid: WorkloadUid, old: Workload | null): void {
    const embedding = this.#embedding.get(uid);
    for (const key of embedding ?? []) this.#byKey.get(key)?.invalidate();
    if (old === null) return;
    for (const key of this.#unlisted.get(uid) ?? old.services) {
      if (embedding?.has(key)) continue;
      this.#byKey.get(key)?.remove(uid);
      const staged = this.#staged.get(key);
      if (staged?.delete(uid) && staged.size === 0) this.#staged.delete(key);
    }
    this.#unlisted.delete(uid);
  }

  /** Drops what was derived from the endpoints of a workload. */
  invalidateEndpoints({ uid, services }: Workload): void {
    for (const key of this.#embedding.get(uid) ?? []) this.#byKey.get(key)?.invalidate();
    for (const key of this.#unlisted.get(uid) ?? services) this.#byKey.get(key)?.invalidate();
  }

  #removeEmbedding(uid: WorkloadUid, key: NamespacedHostname): void {
    const embedding = this.#embedding.get(uid);
    if (embedding?.delete(key) && embedding.size === 0) this.#embedding.delete(uid);
  }

  #index(entry: ServiceEntry): void {
    const service = entry.service;
    this.#byKey.set(service.key, entry);
    const hostname = service.hostname.toLowerCase();
    this.#byHostname.set(hostname, appended(this.#byHostname.get(hostname), entry));
    for (const { network, ip } of service.vips) {
      const sameVip = this.#byVip.get(network, ip);
      if (!sameVip?.includes(entry)) this.#byVip.set(network, ip, appended(sameVip, entry));
    }
    for (const vip of service.cidrVips) this.#byCidr.insert(vip, entry);
  }

  #unindex(entry: ServiceEntry): void {
    const service = entry.service;
    this.#byKey.delete(service.key);
    const hostname = service.hostname.toLowerCase();
    const sameName = without(this.#byHostname.get(hostname), entry);
    if (sameName === undefined) this.#byHostname.delete(hostname);
    else this.#byHostname.set(hostname, sameName);
    for (const { network, ip } of service.vips) {
      const sameVip = without(this.#byVip.get(network, ip), entry);
      if (sameVip === undefined) this.#byVip.delete(network, ip);
      else this.#byVip.set(network, ip, sameVip);
    }
    for (const vip of service.cidrVips) this.#byCidr.remove(vip, entry);
  }

  clear(): void {
    this.#byKey.clear();
    this.#byHostname.clear();
    this.#byVip.clear();
    this.#byCidr.clear();
    this.#staged.clear();
    this.#unlisted.clear();
    this.#embedding.clear();
  }
}
