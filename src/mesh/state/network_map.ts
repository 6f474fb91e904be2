import type { Ip } from "../../net/address.ts";
import { ShardedMap } from "./sharded_map.ts";

/** A map keyed by (network, ip). It has two levels, so that a lookup builds no key. */
export class NetworkMap<V> {
  readonly #networks = new Map<string, ShardedMap<Ip, V>>();

  get(network: string, ip: Ip): V | undefined {
    return this.#networks.get(network)?.get(ip);
  }

  set(network: string, ip: Ip, value: V): void {
    let addresses = this.#networks.get(network);
    if (addresses === undefined) this.#networks.set(network, addresses = new ShardedMap());
    addresses.set(ip, value);
  }

  delete(network: string, ip: Ip): void {
    const addresses = this.#networks.get(network);
    if (addresses?.delete(ip) && addresses.size === 0) this.#networks.delete(network);
  }

  /** Number of keys. */
  get size(): number {
    let size = 0;
    for (const addresses of this.#networks.values()) size += addresses.size;
    return size;
  }

  clear(): void {
    this.#networks.clear();
  }
}
