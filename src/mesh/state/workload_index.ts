/** Workloads by uid, by address, by host name and, for those of this node, by service account. */
import type { Ip } from "../../net/address.ts";
import {
  type Endpoint,
  type NamespacedHostname,
  namespacedHostname,
  type Workload,
  type WorkloadUid,
} from "../model/model.ts";
import { HEAD, type Location } from "../records/record_memory.ts";
import type { RecordReader } from "../records/record_reader.ts";
import { hashOfAddress } from "../records/text_hash.ts";
import { isOnNode, isWorkloadNamed, readEndpoint, readWorkload, WORKLOAD } from "../records/workload_record.ts";
import { HolderLists } from "./holder_lists.ts";
import type { RecordSnapshot } from "./record_snapshot.ts";
import { RecordTable } from "./record_table.ts";
import { appended, without } from "./short_list.ts";

/** All workloads of the mesh, by numbers. */
export class WorkloadIndex {
  readonly #reader: RecordReader;
  readonly #seed: number;
  readonly #localNode: string | null;
  readonly #table: RecordTable<Workload>;
  /** Of several workloads with one address the best comes first. */
  readonly #byAddress = new HolderLists();
  /** In order of arrival. */
  readonly #byHostname = new Map<NamespacedHostname, readonly number[]>();
  /** `namespace/serviceAccount`, workloads of the local node only (`docs/spec/xds-state.md` 3.2). */
  readonly #local = new Map<string, Set<number>>();

  /** `localNode`: name of this node. Null: every workload counts as local. */
  constructor(reader: RecordReader, seed: number, localNode: string | null) {
    this.#reader = reader;
    this.#seed = seed;
    this.#localNode = localNode;
    this.#table = new RecordTable(reader, seed, (at) => readWorkload(reader, at));
  }

  get size(): number {
    return this.#table.size;
  }

  /** Number of (network, ip) keys. */
  get addresses(): number {
    return this.#byAddress.size;
  }

  /** Returns the number of a workload; -1: it is not known. */
  find(uid: WorkloadUid): number {
    return this.#table.find(uid);
  }

  get(uid: WorkloadUid): Workload | null {
    const id = this.#table.find(uid);
    return id < 0 ? null : this.#table.value(id);
  }

  /** Returns the number of the workload that has the uid of this record; -1: it is not known. */
  findLike(at: Location): number {
    return this.#table.findLike(at);
  }

  /** The uid in a record. */
  uidAt(at: Location): WorkloadUid {
    return this.#table.keyAt(at) as WorkloadUid;
  }

  uid(id: number): WorkloadUid {
    return this.#table.key(id) as WorkloadUid;
  }

  flags(id: number): number {
    return this.#table.flags(id);
  }

  location(id: number): Location {
    return this.#table.location(id);
  }

  /** Returns the workload as an endpoint of a service for which it has ports. */
  endpoint(id: number, service: NamespacedHostname): Endpoint {
    return readEndpoint(this.#reader, this.#table.location(id), service)!;
  }

  /** All workloads, in no particular order. */
  values(): Iterable<Workload> {
    return this.#table.values();
  }

  /**
   * Workloads of a namespace with this name, or of a workload (such as a Deployment) of this name. Null: any. Only those
   * are decoded.
   */
  *named(namespace: string | null, name: string | null): Generator<Workload, void, undefined> {
    for (const id of this.#table.ids()) {
      if (isWorkloadNamed(this.#reader, this.#table.location(id), namespace, name)) yield this.#table.read(id);
    }
  }

  /** The workloads of this moment. To be closed. */
  snapshot(): RecordSnapshot<Workload> {
    return this.#table.snapshot();
  }

  /** Uids of all workloads that are not ready. */
  *unhealthy(): Generator<WorkloadUid, void, undefined> {
    for (const id of this.#table.ids()) if (this.flags(id) & WORKLOAD.unhealthy) yield this.uid(id);
  }

  /** The best workload with this address. Workloads on the node's own network are never found by address. */
  byAddress(network: string, ip: Ip): Workload | null {
    const hash = hashOfAddress(this.#seed, network, ip);
    for (let i = 0;; i++) {
      const first = this.#byAddress.nth(hash, i);
      if (first < 0) return null;
      const workload = this.#table.value(this.#byAddress.holder(first));
      if (workload.network === network && workload.workloadIps.includes(ip)) return workload;
    }
  }

  /** The first workload with this host name and namespace that arrived. */
  byHostname(key: NamespacedHostname): Workload | null {
    const id = this.#byHostname.get(key)?.[0];
    return id === undefined ? null : this.#table.value(id);
  }

  isLocal(id: number): boolean {
    return this.#localNode === null || isOnNode(this.#reader, this.#table.location(id), this.#localNode);
  }

  /** Workloads of the local node with this service account, whatever their trust domain. */
  *localByIdentity(namespace: string, serviceAccount: string): Generator<Workload, void, undefined> {
    for (const id of this.#local.get(`${namespace}/${serviceAccount}`) ?? []) yield this.#table.value(id);
  }

  /** Adds a workload and returns its number. Its uid must not be in the index: remove the old value first. */
  insert(at: Location): number {
    const id = this.#table.add(at);
    const rank = rankOf(this.flags(id));
    const isBefore = (other: number) => rankOf(this.flags(other)) > rank;
    for (const hash of this.addressHashes(at)) {
      this.#byAddress.add(hash, id, (other) => this.#shareAddress(id, other, hash), isBefore);
    }
    if (this.flags(id) & WORKLOAD.hasHostname) {
      const key = this.#hostnameOf(id);
      this.#byHostname.set(key, appended(this.#byHostname.get(key), id));
    }
    if (this.isLocal(id)) {
      const account = this.#accountOf(id);
      const members = this.#local.get(account);
      if (members === undefined) this.#local.set(account, new Set([id]));
      else members.add(id);
    }
    return id;
  }

  /** Removes what {@link insert} added. */
  remove(id: number): void {
    const at = this.#table.location(id);
    for (const hash of this.addressHashes(at)) this.#byAddress.remove(hash, id);
    if (this.flags(id) & WORKLOAD.hasHostname) {
      const key = this.#hostnameOf(id);
      const rest = without(this.#byHostname.get(key), id);
      if (rest === undefined) this.#byHostname.delete(key);
      else this.#byHostname.set(key, rest);
    }
    if (this.isLocal(id)) {
      const account = this.#accountOf(id);
      const members = this.#local.get(account);
      if (members?.delete(id) && members.size === 0) this.#local.delete(account);
    }
    this.#table.remove(id);
  }

  /** Hashes of the addresses by which the workload of a record is found. */
  addressHashes(at: Location): readonly number[] {
    const { memory } = this.#reader;
    const hashes: number[] = [];
    const count = memory.head(at, HEAD.addresses);
    for (let i = 0; i < count; i++) hashes.push(memory.head(at, HEAD.lists + i));
    return hashes;
  }

  #shareAddress(one: number, other: number, hash: number): boolean {
    const [a, b] = [this.#table.value(one), this.#table.value(other)];
    return a.network === b.network &&
      a.workloadIps.some((ip) => hashOfAddress(this.#seed, a.network, ip) === hash && b.workloadIps.includes(ip));
  }

  #hostnameOf(id: number): NamespacedHostname {
    const { namespace, hostname } = this.#table.value(id);
    return namespacedHostname(namespace, hostname);
  }

  #accountOf(id: number): string {
    const { namespace, serviceAccount } = this.#table.value(id);
    return `${namespace}/${serviceAccount}`;
  }

  /** The record has been moved. */
  moved(from: Location, to: Location): void {
    this.#table.moved(from, to);
  }

  clear(): void {
    this.#table.clear();
    this.#byAddress.clear();
    this.#byHostname.clear();
    this.#local.clear();
  }
}

/**
 * The workload of highest rank gets an address that several have: pods first, then HBONE (`docs/spec/xds-state.md`
 * 3.3). Of equals the newest is preferred, since it has reused the address.
 */
function rankOf(flags: number): number {
  return (flags & WORKLOAD.pod ? 2 : 0) + (flags & WORKLOAD.hbone ? 1 : 0);
}
