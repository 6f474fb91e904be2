/** One service in the store: its value, its endpoints, and what is derived from both. */
import type { Endpoint, Service, Workload, WorkloadUid } from "../model/model.ts";
import type { EndpointPool } from "./endpoint_pool.ts";
import { identityOf, type SpiffeId } from "../model/workload_identity.ts";

/** Pools kept per service. Normally there are (its ports × locations of clients); this bound only guards memory. */
const MAX_POOLS = 1024;

/** A service with its endpoints. The value never changes (a changed service gets a new entry); endpoints do. */
export class ServiceEntry {
  readonly service: Service;
  readonly #endpoints = new Map<WorkloadUid, Endpoint>();
  /** Null before the first use: most services of a mesh are never called from this node. */
  #pools: Map<number, EndpointPool> | null = null;
  #identities: ReadonlySet<SpiffeId> | null = null;

  constructor(service: Service) {
    this.service = service;
  }

  get endpoints(): ReadonlyMap<WorkloadUid, Endpoint> {
    return this.#endpoints;
  }

  /** Adds or replaces an endpoint. One that the health policy refuses is left out (`docs/spec/xds-state.md` 3.4). */
  upsert(endpoint: Endpoint): void {
    const accepted = endpoint.status === "Healthy" || this.service.loadBalancer?.healthPolicy === "AllowAll";
    if (accepted) this.#endpoints.set(endpoint.workloadUid, endpoint);
    else this.#endpoints.delete(endpoint.workloadUid);
    this.invalidate();
  }

  /** Removes an endpoint; no effect where it is not there. */
  remove(uid: WorkloadUid): void {
    this.#endpoints.delete(uid);
    this.invalidate();
  }

  /** Drops what was derived. To be called when the workload of an endpoint changed. */
  invalidate(): void {
    this.#pools = null;
    this.#identities = null;
  }

  /** The pool that was cached under `key` since the last change, or undefined. */
  pool(key: number): EndpointPool | undefined {
    return this.#pools?.get(key);
  }

  /**
   * Caches a pool until the service or a workload of it changes. `key` stands for port, mode and the client's location.
   */
  cachePool(key: number, pool: EndpointPool): void {
    if (this.#pools === null || this.#pools.size >= MAX_POOLS) this.#pools = new Map();
    this.#pools.set(key, pool);
  }

  /** Identities of the workloads of this service; `find` gives a workload by uid. */
  identities(find: (uid: WorkloadUid) => Workload | null): ReadonlySet<SpiffeId> {
    if (this.#identities !== null) return this.#identities;
    const identities = new Set<SpiffeId>();
    for (const uid of this.#endpoints.keys()) {
      const workload = find(uid);
      const identity = workload === null ? null : identityOf(workload);
      if (identity !== null) identities.add(identity);
    }
    return this.#identities = identities;
  }
}
