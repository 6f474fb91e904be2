/** One service in the store: its value, its endpoints, and what is derived from both. */
import type { Endpoint, Service, Workload, WorkloadUid } from "../model/model.ts";
import type { EndpointPool } from "./endpoint_pool.ts";
import { identityOf, type SpiffeId } from "../model/workload_identity.ts";

/** Pools kept per service. Normally there are (its ports × locations of clients); this bound only guards memory. */
const MAX_POOLS = 1024;

/**
 * The endpoints of a service in order of arrival. Iterators must be used in the turn in which they were made: they see
 * changes of the mesh.
 */
export interface Endpoints extends Iterable<readonly [WorkloadUid, Endpoint]> {
  readonly size: number;
  has(uid: WorkloadUid): boolean;
  get(uid: WorkloadUid): Endpoint | undefined;
  keys(): Iterable<WorkloadUid>;
  values(): Iterable<Endpoint>;
}

/**
 * A service with its endpoints. The value never changes (a changed service gets a new entry); endpoints do. To be used
 * in the turn in which it was found.
 */
export class ServiceEntry {
  readonly service: Service;
  readonly endpoints: Endpoints;
  /** Null before the first use: most services of a mesh are never called from this node. */
  #pools: Map<number, EndpointPool> | null = null;
  #identities: ReadonlySet<SpiffeId> | null = null;

  constructor(service: Service, endpoints: Endpoints) {
    this.service = service;
    this.endpoints = endpoints;
  }

  /** Drops what was derived. To be called when an endpoint or its workload changed. */
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
    for (const uid of this.endpoints.keys()) {
      const workload = find(uid);
      const identity = workload === null ? null : identityOf(workload);
      if (identity !== null) identities.add(identity);
    }
    return this.#identities = identities;
  }
}
