/**
 * Watches whether workloads keep the addresses at which they were reached. Work for each change of the mesh: one look-up
 * for the workload and one for each of its addresses, however many workloads are watched.
 */
import type { Ip } from "../../net/address.ts";
import type { Workload, WorkloadUid } from "../model/model.ts";
import type { WorkloadIndex } from "./workload_index.ts";

/** One watched address of a workload. `onLost` is called when the workload is no longer there. */
interface Watch {
  readonly uid: WorkloadUid;
  readonly ip: Ip;
  /** The workload itself names the address; false: it is known by a host name, which was resolved. */
  readonly isListed: boolean;
  readonly network: string;
  /** The hash of network and address. */
  readonly hash: number;
  readonly onLost: () => void;
}

/** All watches of one mesh. */
export class PlaceWatches {
  readonly #byUid = new Map<WorkloadUid, Set<Watch>>();
  readonly #byAddress = new Map<number, Set<Watch>>();
  /** Watches that the batch in progress may end. */
  readonly #doubtful = new Set<Watch>();

  /** How many workloads are watched. */
  get size(): number {
    return this.#byUid.size;
  }

  /**
   * Calls `onLost` once, after the batch that takes `ip` from `workload`. `hash`: of the workload's network and `ip`.
   * Call the result to stop watching.
   */
  watch(workload: Workload, ip: Ip, hash: number, onLost: () => void): () => void {
    const { uid, network, workloadIps } = workload;
    const watch: Watch = { uid, ip, isListed: workloadIps.includes(ip), network, hash, onLost };
    add(this.#byUid, uid, watch);
    add(this.#byAddress, hash, watch);
    return () => this.#remove(watch);
  }

  /** A workload was removed from the index; another version may follow in the same batch. */
  removed(uid: WorkloadUid): void {
    for (const watch of this.#byUid.get(uid) ?? []) this.#doubtful.add(watch);
  }

  /** A workload with these hashes of addresses was added to the index. */
  added(hashes: readonly number[]): void {
    for (const hash of hashes) {
      for (const watch of this.#byAddress.get(hash) ?? []) this.#doubtful.add(watch);
    }
  }

  /** All workloads were removed from the index. */
  cleared(): void {
    for (const watches of this.#byUid.values()) {
      for (const watch of watches) this.#doubtful.add(watch);
    }
  }

  /** The batch is complete: notifies those whose workload has lost its address. */
  settle(workloads: WorkloadIndex): void {
    if (this.#doubtful.size === 0) return;
    const lost = [...this.#doubtful].filter((watch) => !isAtPlace(watch, workloads));
    this.#doubtful.clear();
    for (const watch of lost) {
      // One that was notified before may have stopped this watch.
      if (this.#remove(watch)) watch.onLost();
    }
  }

  /** False: it was removed before. */
  #remove(watch: Watch): boolean {
    this.#doubtful.delete(watch);
    remove(this.#byAddress, watch.hash, watch);
    return remove(this.#byUid, watch.uid, watch);
  }
}

/** Of several workloads with one address, the one that the index finds by it has it. */
function isAtPlace({ uid, ip, isListed, network }: Watch, workloads: WorkloadIndex): boolean {
  const current = workloads.get(uid);
  if (current === null || current.network !== network) return false;
  if (isListed && !current.workloadIps.includes(ip)) return false;
  return !isListed || (workloads.byAddress(network, ip)?.uid ?? uid) === uid;
}

function add<Key>(map: Map<Key, Set<Watch>>, key: Key, watch: Watch): void {
  const watches = map.get(key);
  if (watches === undefined) map.set(key, new Set([watch]));
  else watches.add(watch);
}

function remove<Key>(map: Map<Key, Set<Watch>>, key: Key, watch: Watch): boolean {
  const watches = map.get(key);
  if (watches === undefined || !watches.delete(watch)) return false;
  if (watches.size === 0) map.delete(key);
  return true;
}
