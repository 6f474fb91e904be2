/** The location of a client as a small number: clients at the same location get the same ranking of endpoints. */
import type { Workload } from "../model/model.ts";

/** Locations kept. A node has a handful; beyond this limit they get new numbers, which only costs time. */
const MAX_PLACES = 4096;

/** Gives numbers to locations. */
export class Placements {
  readonly #ids = new Map<string, number>();
  #byWorkload = new WeakMap<Workload, number>();
  #next = 0;

  /** A number that is equal for workloads with equal network, cluster, node and locality. Numbers are never reused. */
  idOf(workload: Workload): number {
    let id = this.#byWorkload.get(workload);
    if (id === undefined) this.#byWorkload.set(workload, id = this.#intern(workload));
    return id;
  }

  #intern({ network, clusterId, node, locality: { region, zone, subzone } }: Workload): number {
    const key = JSON.stringify([network, clusterId, node, region, zone, subzone]);
    let id = this.#ids.get(key);
    if (id !== undefined) return id;
    if (this.#ids.size >= MAX_PLACES) this.#ids.clear();
    id = this.#next++;
    this.#ids.set(key, id);
    return id;
  }
}
