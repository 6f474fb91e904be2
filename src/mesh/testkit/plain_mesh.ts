/** A mesh in plain maps, to compare `MeshState` with: slow, and as simple as the rules (`docs/spec/xds-state.md` 3). */
import type { Ip } from "../../net/address.ts";
import type { MeshChange, ServiceChange, WorkloadChange } from "../model/changes.ts";
import {
  type Endpoint,
  type NamespacedHostname,
  parseNamespacedHostname,
  type Service,
  type Workload,
  type WorkloadUid,
} from "../model/model.ts";

/** A service with its endpoints; null: it has not arrived, or was removed. */
interface PlainService {
  service: Service | null;
  readonly endpoints: Map<WorkloadUid, Endpoint & { readonly isEmbedded: boolean }>;
}

/** Workloads and services in order of arrival. */
export class PlainMesh {
  readonly workloads = new Map<WorkloadUid, Workload>();
  readonly #services = new Map<NamespacedHostname, PlainService>();

  apply(change: MeshChange): void {
    switch (change.kind) {
      case "workload":
        return this.#upsertWorkload(change);
      case "service":
        return this.#upsertService(change);
      case "remove-address":
        return this.#remove(change.name);
      case "clear":
        this.workloads.clear();
        return this.#services.clear();
      case "policy":
      case "remove-policy":
      case "segment":
      case "texts":
      case "record":
      case "moved-record":
        return;
      default:
        change satisfies never;
    }
  }

  #upsertWorkload({ workload, endpoints }: WorkloadChange): void {
    const { uid, status } = workload;
    this.#removeWorkload(uid);
    this.workloads.set(uid, workload);
    for (const [key, ports] of endpoints) {
      let at = this.#services.get(key);
      if (at === undefined) this.#services.set(key, at = { service: null, endpoints: new Map() });
      if (accepts(at.service, status)) at.endpoints.set(uid, { workloadUid: uid, ports, status, isEmbedded: false });
      else at.endpoints.delete(uid);
    }
  }

  #removeWorkload(uid: WorkloadUid): boolean {
    for (const { endpoints } of this.#services.values()) {
      if (endpoints.get(uid)?.isEmbedded === false) endpoints.delete(uid);
    }
    return this.workloads.delete(uid);
  }

  #upsertService({ service, endpoints: embedded }: ServiceChange): void {
    const endpoints = this.#services.get(service.key)?.endpoints ?? new Map();
    for (const [uid, { status }] of [...endpoints]) if (!accepts(service, status)) endpoints.delete(uid);
    for (const endpoint of embedded) {
      if (accepts(service, endpoint.status)) endpoints.set(endpoint.workloadUid, { ...endpoint, isEmbedded: true });
      else endpoints.delete(endpoint.workloadUid);
    }
    this.#services.delete(service.key);
    this.#services.set(service.key, { service, endpoints });
  }

  #remove(name: string): void {
    if (this.#removeWorkload(name as WorkloadUid)) return;
    const key = parseNamespacedHostname(name)?.key;
    if (key !== undefined) this.#services.delete(key);
  }

  /** In order of arrival. */
  get services(): readonly Service[] {
    return [...this.#services.values()].flatMap(({ service }) => service ?? []);
  }

  /** Keys of services that have not arrived and have endpoints. */
  get staged(): readonly NamespacedHostname[] {
    const waiting = [...this.#services].filter(([, { service, endpoints }]) => service === null && endpoints.size > 0);
    return waiting.map(([key]) => key);
  }

  endpoints(key: NamespacedHostname): readonly Endpoint[] {
    const endpoints = [...this.#services.get(key)?.endpoints.values() ?? []];
    return endpoints.map(({ workloadUid, ports, status }) => ({ workloadUid, ports, status }));
  }

  /** The workload with the address: pods first, then HBONE, then the newest. */
  byAddress(network: string, ip: Ip): WorkloadUid | null {
    const holders = [...this.workloads.values()].reverse().filter((each) =>
      each.networkMode === "Standard" && each.network === network && each.workloadIps.includes(ip)
    );
    const rank = ({ uid, protocol }: Workload) => (uid.includes("//Pod/") ? 2 : 0) + (protocol === "HBONE" ? 1 : 0);
    return holders.sort((a, b) => rank(b) - rank(a))[0]?.uid ?? null;
  }
}

function accepts(service: Service | null, status: Endpoint["status"]): boolean {
  return service === null || status === "Healthy" || service.loadBalancer?.healthPolicy === "AllowAll";
}
