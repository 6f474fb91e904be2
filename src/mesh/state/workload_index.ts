/** Workloads by uid, by address, by host name and, for those of this node, by service account. */
import type { Ip } from "../../net/address.ts";
import { type NamespacedHostname, namespacedHostname, type Workload, type WorkloadUid } from "../model/model.ts";
import { NetworkMap } from "./network_map.ts";
import { ShardedMap } from "./sharded_map.ts";
import { appended, without } from "./short_list.ts";

/** The workloads with one address: nearly always a single one; of several, the best comes first. */
type Holders = Workload | readonly Workload[];

/** All workloads of the mesh. */
export class WorkloadIndex {
  readonly #localNode: string | null;
  readonly #byUid = new ShardedMap<WorkloadUid, Workload>();
  readonly #byAddress = new NetworkMap<Holders>();
  /** In order of arrival. */
  readonly #byHostname = new Map<NamespacedHostname, readonly Workload[]>();
  /** `namespace/serviceAccount`, workloads of the local node only (`docs/spec/xds-state.md` 3.2). */
  readonly #local = new Map<string, Map<WorkloadUid, Workload>>();

  /** `localNode`: name of this node. Null: every workload counts as local. */
  constructor(localNode: string | null) {
    this.#localNode = localNode;
  }

  get size(): number {
    return this.#byUid.size;
  }

  /** Number of (network, ip) keys. */
  get addresses(): number {
    return this.#byAddress.size;
  }

  get(uid: WorkloadUid): Workload | null {
    return this.#byUid.get(uid) ?? null;
  }

  /** All workloads, in no particular order. */
  values(): Iterable<Workload> {
    return this.#byUid.values();
  }

  /** The best workload with this address. Workloads on the node's own network are never found by address. */
  byAddress(network: string, ip: Ip): Workload | null {
    const holders = this.#byAddress.get(network, ip);
    return holders === undefined ? null : isSingle(holders) ? holders : holders[0]!;
  }

  /** The first workload with this host name and namespace that arrived. */
  byHostname(key: NamespacedHostname): Workload | null {
    return this.#byHostname.get(key)?.[0] ?? null;
  }

  isLocal(workload: Workload): boolean {
    return this.#localNode === null || workload.node === this.#localNode;
  }

  /** Workloads of the local node with this service account, whatever their trust domain. */
  localByIdentity(namespace: string, serviceAccount: string): Iterable<Workload> {
    return this.#local.get(`${namespace}/${serviceAccount}`)?.values() ?? [];
  }

  /** Adds a workload. Its uid must not be in the index: remove the old value first. */
  insert(workload: Workload): void {
    this.#byUid.set(workload.uid, workload);
    if (workload.networkMode === "Standard") {
      for (const ip of distinct(workload.workloadIps)) this.#insertAddress(workload, ip);
    }
    if (workload.hostname !== "") {
      const key = namespacedHostname(workload.namespace, workload.hostname);
      this.#byHostname.set(key, appended(this.#byHostname.get(key), workload));
    }
    if (this.isLocal(workload)) {
      const account = `${workload.namespace}/${workload.serviceAccount}`;
      let members = this.#local.get(account);
      if (members === undefined) this.#local.set(account, members = new Map());
      members.set(workload.uid, workload);
    }
  }

  #insertAddress(workload: Workload, ip: Ip): void {
    const holders = this.#byAddress.get(workload.network, ip);
    if (holders === undefined) return this.#byAddress.set(workload.network, ip, workload);
    const list = isSingle(holders) ? [holders] : holders;
    // Inserted before the first that is not better: of equals the newest is preferred, since it has reused the address.
    const rank = addressRank(workload);
    const at = list.findIndex((other) => addressRank(other) <= rank);
    this.#byAddress.set(workload.network, ip, list.toSpliced(at < 0 ? list.length : at, 0, workload));
  }

  /** Removes what {@link insert} added and returns it, or null where the uid is unknown. */
  remove(uid: WorkloadUid): Workload | null {
    const workload = this.#byUid.get(uid);
    if (workload === undefined) return null;
    this.#byUid.delete(uid);
    if (workload.networkMode === "Standard") {
      for (const ip of distinct(workload.workloadIps)) this.#removeAddress(workload, ip);
    }
    if (workload.hostname !== "") {
      const key = namespacedHostname(workload.namespace, workload.hostname);
      const rest = without(this.#byHostname.get(key), workload);
      if (rest === undefined) this.#byHostname.delete(key);
      else this.#byHostname.set(key, rest);
    }
    const account = `${workload.namespace}/${workload.serviceAccount}`;
    const members = this.#local.get(account);
    if (members?.delete(uid) && members.size === 0) this.#local.delete(account);
    return workload;
  }

  #removeAddress(workload: Workload, ip: Ip): void {
    const holders = this.#byAddress.get(workload.network, ip);
    const rest = holders === undefined || isSingle(holders) ? undefined : without(holders, workload);
    if (rest === undefined) this.#byAddress.delete(workload.network, ip);
    else this.#byAddress.set(workload.network, ip, rest.length === 1 ? rest[0]! : rest);
  }

  clear(): void {
    this.#byUid.clear();
    this.#byAddress.clear();
    this.#byHostname.clear();
    this.#local.clear();
  }
}

function isSingle(holders: Holders): holders is Workload {
  return !Array.isArray(holders);
}

/** The addresses without duplicates. */
function distinct(ips: readonly Ip[]): Iterable<Ip> {
  return ips.length < 2 ? ips : new Set(ips);
}

/**
 * The workload of highest rank gets an address that several have: pods first, then HBONE (`docs/spec/xds-state.md`
 * 3.3).
 */
function addressRank(workload: Workload): number {
  const pod = workload.uid.includes("//Pod/") ? 2 : 0;
  return pod + (workload.protocol === "HBONE" ? 1 : 0);
}
