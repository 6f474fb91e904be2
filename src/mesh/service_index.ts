/** Services by key, host name and virtual address, and endpoints whose service is not known yet. */
import type { Ip } from "../net/address.ts";
import { CidrTable } from "./cidr_table.ts";
import type { Endpoint, NamespacedHostname, Service, WorkloadUid } from "./model.ts";
import { NetworkMap } from "./network_map.ts";
import { bestService } from "./service_choice.ts";
import { ServiceEntry } from "./service_entry.ts";

type Staged = Map<WorkloadUid, Endpoint>;

/** A static file may list endpoints in the service itself; those outlive changes of the workload. */
type SaidBy = "workload" | "service";

export class ServiceIndex {
  readonly #byKey = new Map<NamespacedHostname, ServiceEntry>();
  /** Lists are in order of arrival; a service that is sent again moves to the end. */
  readonly #byHostname = new Map<string, ServiceEntry[]>();
  /** Several services of one namespace may share an address (`docs/spec/xds-state.md` 8.1 Q2). */
  readonly #byVip = new NetworkMap<ServiceEntry[]>();
  readonly #byCidr = new CidrTable();
  readonly #staged = new Map<NamespacedHostname, Staged>();
  /** Where each workload is an endpoint, also a staged one, and who said so. */
  readonly #memberships = new Map<WorkloadUid, Map<NamespacedHostname, SaidBy>>();

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

  values(): IterableIterator<ServiceEntry> {
    return this.#byKey.values();
  }

  /** Endpoints that wait for their service. */
  get staged(): ReadonlyMap<NamespacedHostname, ReadonlyMap<WorkloadUid, Endpoint>> {
    return this.#staged;
  }

  /** The service lists of one host name, in order of arrival. */
  listByHostname(hostname: string): readonly ServiceEntry[] {
    return this.#byHostname.get(hostname) ?? [];
  }

  /** Exact virtual addresses first; blocks only where those yield nothing that the client may see. */
  byVip(network: string, ip: Ip, clientNamespace: string | null): ServiceEntry | null {
    return bestService(this.#byVip.get(network, ip), clientNamespace) ??
      this.#byCidr.find(network, ip, clientNamespace);
  }

  insert(service: Service, embedded: readonly Endpoint[]): void {
    const entry = new ServiceEntry(service);
    const old = this.#byKey.get(service.key);
    for (const endpoint of old?.endpoints.values() ?? []) entry.upsert(endpoint);
    for (const endpoint of this.#staged.get(service.key)?.values() ?? []) entry.upsert(endpoint);
    this.#staged.delete(service.key);
    if (old !== undefined) this.#unlist(old);
    this.#list(entry);
    for (const endpoint of embedded) this.insertEndpoint(service.key, endpoint, "service");
  }

  /** The service's endpoints are forgotten: they come back with their workloads only (`docs/spec/xds-state.md` 3.4). */
  remove(key: NamespacedHostname): boolean {
    const entry = this.#byKey.get(key);
    for (const uid of entry?.endpoints.keys() ?? []) this.#leave(uid, key);
    for (const uid of this.#staged.get(key)?.keys() ?? []) this.#leave(uid, key);
    this.#staged.delete(key);
    if (entry === undefined) return false;
    this.#unlist(entry);
    return true;
  }

  insertEndpoint(key: NamespacedHostname, endpoint: Endpoint, saidBy: SaidBy = "workload"): void {
    const uid = endpoint.workloadUid;
    const joined = this.#memberships.get(uid);
    if (joined === undefined) this.#memberships.set(uid, new Map([[key, saidBy]]));
    else joined.set(key, saidBy);
    const entry = this.#byKey.get(key);
    if (entry !== undefined) {
      entry.upsert(endpoint);
      return;
    }
    const staged = this.#staged.get(key);
    if (staged === undefined) this.#staged.set(key, new Map([[uid, endpoint]]));
    else staged.set(uid, endpoint);
  }

  /** The workload changed or went: takes it out of the services it named, and makes the others look again. */
  withdraw(uid: WorkloadUid): void {
    const joined = this.#memberships.get(uid);
    if (joined === undefined) return;
    for (const [key, saidBy] of joined) {
      const entry = this.#byKey.get(key);
      if (saidBy === "service") {
        entry?.invalidate();
        continue;
      }
      joined.delete(key);
      entry?.remove(uid);
      const staged = this.#staged.get(key);
      if (staged?.delete(uid) && staged.size === 0) this.#staged.delete(key);
    }
    if (joined.size === 0) this.#memberships.delete(uid);
  }

  #leave(uid: WorkloadUid, key: NamespacedHostname): void {
    const joined = this.#memberships.get(uid);
    if (joined?.delete(key) && joined.size === 0) this.#memberships.delete(uid);
  }

  #list(entry: ServiceEntry): void {
    const service = entry.service;
    this.#byKey.set(service.key, entry);
    const sameName = this.#byHostname.get(service.hostname);
    if (sameName === undefined) this.#byHostname.set(service.hostname, [entry]);
    else sameName.push(entry);
    for (const { network, ip } of service.vips) {
      const sameVip = this.#byVip.get(network, ip);
      if (sameVip === undefined) this.#byVip.set(network, ip, [entry]);
      else if (!sameVip.includes(entry)) sameVip.push(entry);
    }
    for (const vip of service.cidrVips) this.#byCidr.insert(vip, entry);
  }

  #unlist(entry: ServiceEntry): void {
    const service = entry.service;
    this.#byKey.delete(service.key);
    const sameName = this.#byHostname.get(service.hostname)!.filter((other) => other !== entry);
    if (sameName.length === 0) this.#byHostname.delete(service.hostname);
    else this.#byHostname.set(service.hostname, sameName);
    for (const { network, ip } of service.vips) {
      const sameVip = (this.#byVip.get(network, ip) ?? []).filter((other) => other !== entry);
      if (sameVip.length === 0) this.#byVip.delete(network, ip);
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
    this.#memberships.clear();
  }
}
