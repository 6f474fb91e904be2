/** One service in the store: its value, its endpoints, and what was derived from both. */
import type { Endpoint, Service, Workload, WorkloadUid } from "../model/model.ts";
import type { EndpointPool } from "./endpoint_pool.ts";
import { identityOf, type SpiffeId } from "../model/workload_identity.ts";

/** Pools kept per service. More than (own ports × kinds of sources) never occur; a guard, not a tuning knob. */
const MAX_POOLS = 1024;

export class ServiceEntry {
  readonly service: Service;
  readonly #endpoints = new Map<WorkloadUid, Endpoint>();
  /** Null where nobody has asked: most services of a mesh are never called from here. */
  #pools: Map<number, EndpointPool> | null = null;
  #identities: ReadonlySet<SpiffeId> | null = null;

  constructor(service: Service) {
    this.service = service;
  }

  get endpoints(): ReadonlyMap<WorkloadUid, Endpoint> {
    return this.#endpoints;
  }

  /** Adds or replaces; an endpoint the health policy refuses is left out (`docs/spec/xds-state.md` 3.4). */
  upsert(endpoint: Endpoint): void {
    const accepted = endpoint.status === "Healthy" || this.service.loadBalancer?.healthPolicy === "AllowAll";
    if (accepted) this.#endpoints.set(endpoint.workloadUid, endpoint);
    else this.#endpoints.delete(endpoint.workloadUid);
    this.invalidate();
  }

  remove(uid: WorkloadUid): void {
    this.#endpoints.delete(uid);
    this.invalidate();
  }

  /** Forgets what was derived. To be called when an endpoint's workload changed. */
  invalidate(): void {
    this.#pools = null;
    this.#identities = null;
  }

  pool(key: number): EndpointPool | undefined {
    return this.#pools?.get(key);
  }

  keepPool(key: number, pool: EndpointPool): void {
    if (this.#pools === null || this.#pools.size >= MAX_POOLS) this.#pools = new Map();
    this.#pools.set(key, pool);
  }

  /** Identities of the workloads behind this service. */
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
