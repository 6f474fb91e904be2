/**
 * The endpoints of services, as lists. A list belongs to a service, or waits for one that has not arrived. Its members
 * are workloads, whose records have the ports, and endpoints that the service's own value lists, as in a static file:
 * these stay when the workload changes.
 */
import type { Endpoint, NamespacedHostname, WorkloadUid } from "../model/model.ts";
import { WORKLOAD } from "../records/workload_record.ts";
import { Memberships } from "./memberships.ts";
import type { Endpoints } from "./service_entry.ts";
import type { WorkloadIndex } from "./workload_index.ts";

/** The lists by their numbers. */
export class EndpointLists {
  readonly #workloads: WorkloadIndex;
  readonly #memberships = new Memberships();
  /** Endpoints that services list themselves, by membership; memberships by uid. */
  readonly #embedded = new Map<number, Endpoint>();
  readonly #embedding = new Map<WorkloadUid, Set<number>>();

  constructor(workloads: WorkloadIndex) {
    this.#workloads = workloads;
  }

  size(list: number): number {
    return this.#memberships.size(list);
  }

  /** Adds a workload to a list, in place of an endpoint that the service itself lists. */
  add(workload: number, list: number): void {
    const known = this.#embedded.size === 0 ? -1 : this.#findEmbedded(this.#workloads.uid(workload), list);
    if (known < 0) {
      this.#memberships.add(workload, list);
      return;
    }
    this.#dropEmbedded(known);
    this.#memberships.assign(known, workload);
  }

  /** Adds an endpoint that the service itself lists, in place of the workload. */
  embed(endpoint: Endpoint, list: number): void {
    const { workloadUid } = endpoint;
    let membership = this.#find(workloadUid, list);
    if (membership < 0) membership = this.#memberships.add(-1, list);
    else this.#memberships.assign(membership, -1);
    this.#embedded.set(membership, endpoint);
    const own = this.#embedding.get(workloadUid);
    if (own === undefined) this.#embedding.set(workloadUid, new Set([membership]));
    else own.add(membership);
  }

  /** Removes the endpoints that are not healthy. */
  removeUnhealthy(list: number): void {
    for (const membership of this.#memberships.ofList(list)) {
      if (!this.#isHealthy(membership)) this.#remove(membership);
    }
  }

  #isHealthy(membership: number): boolean {
    const embedded = this.#embedded.get(membership);
    if (embedded !== undefined) return embedded.status === "Healthy";
    return (this.#workloads.flags(this.#memberships.workload(membership)) & WORKLOAD.unhealthy) === 0;
  }

  /** Removes all endpoints of a list. */
  clearList(list: number): void {
    for (const membership of this.#memberships.ofList(list)) this.#remove(membership);
  }

  /** Removes the endpoint of this uid from a list; no effect where it is not there. */
  removeFrom(uid: WorkloadUid, list: number): void {
    const membership = this.#find(uid, list);
    if (membership >= 0) this.#remove(membership);
  }

  /** Removes a workload from all lists. Returns these lists. */
  removeWorkload(workload: number): readonly number[] {
    const memberships = this.#memberships.ofWorkload(workload);
    const lists = memberships.map((membership) => this.#memberships.list(membership));
    for (const membership of memberships) this.#memberships.remove(membership);
    return lists;
  }

  /** Returns the lists that the workload is in. */
  listsOf(workload: number): readonly number[] {
    return this.#memberships.ofWorkload(workload).map((membership) => this.#memberships.list(membership));
  }

  /** Returns the lists of services that list the workload themselves. */
  embeddingLists(uid: WorkloadUid): readonly number[] {
    const own = this.#embedding.get(uid);
    return own === undefined ? [] : [...own].map((membership) => this.#memberships.list(membership));
  }

  /** Whether some service lists endpoints itself. */
  get hasEmbedded(): boolean {
    return this.#embedded.size > 0;
  }

  /** The endpoints of a list of this service. */
  endpoints(list: number, service: NamespacedHostname): Endpoints {
    const endpointOf = (membership: number) => this.#endpoint(membership, service);
    const each = <R>(map: (membership: number) => R) => mapped(this.#memberships.ofList(list), map);
    const size = () => this.#memberships.size(list);
    return {
      get size() {
        return size();
      },
      has: (uid) => this.#find(uid, list) >= 0,
      get: (uid) => {
        const membership = this.#find(uid, list);
        return membership < 0 ? undefined : endpointOf(membership);
      },
      keys: () => each((membership) => this.#uid(membership)),
      values: () => each(endpointOf),
      [Symbol.iterator]: () => each((membership) => [this.#uid(membership), endpointOf(membership)] as const),
    };
  }

  #endpoint(membership: number, service: NamespacedHostname): Endpoint {
    return this.#embedded.get(membership) ?? this.#workloads.endpoint(this.#memberships.workload(membership), service);
  }

  #uid(membership: number): WorkloadUid {
    return this.#embedded.get(membership)?.workloadUid ?? this.#workloads.uid(this.#memberships.workload(membership));
  }

  #find(uid: WorkloadUid, list: number): number {
    const workload = this.#workloads.find(uid);
    const membership = workload < 0 ? -1 : this.#memberships.find(workload, list);
    return membership >= 0 ? membership : this.#findEmbedded(uid, list);
  }

  #findEmbedded(uid: WorkloadUid, list: number): number {
    for (const membership of this.#embedding.get(uid) ?? []) {
      if (this.#memberships.list(membership) === list) return membership;
    }
    return -1;
  }

  #remove(membership: number): void {
    this.#dropEmbedded(membership);
    this.#memberships.remove(membership);
  }

  #dropEmbedded(membership: number): void {
    const endpoint = this.#embedded.get(membership);
    if (endpoint === undefined) return;
    this.#embedded.delete(membership);
    const own = this.#embedding.get(endpoint.workloadUid);
    if (own?.delete(membership) && own.size === 0) this.#embedding.delete(endpoint.workloadUid);
  }

  clear(): void {
    this.#memberships.clear();
    this.#embedded.clear();
    this.#embedding.clear();
  }
}

function* mapped<T, R>(items: Iterable<T>, map: (item: T) => R): Generator<R, void, undefined> {
  for (const item of items) yield map(item);
}
