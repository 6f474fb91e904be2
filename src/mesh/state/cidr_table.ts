/** Services by CIDR VIP: finds the longest block that contains an address, without a scan. */
import type { Ip } from "../../net/address.ts";
import { CidrRange, ipBits, maskedKey } from "../model/cidr.ts";
import type { CidrVip } from "../model/model.ts";
import type { ServiceEntry } from "./service_entry.ts";
import { isVisible } from "./service_choice.ts";

/** Blocks of one network, family and length. */
interface Level {
  readonly length: number;
  /** By {@link maskedKey}; services in order of arrival. */
  readonly blocks: Map<string, number[]>;
}

/** Blocks of virtual addresses, each with the numbers of the services that have it. */
export class CidrTable {
  readonly #entryOf: (id: number) => ServiceEntry;
  /** By network and family, longest blocks first. */
  readonly #levels = new Map<string, Level[]>();

  /** `entryOf` returns the service with this number. */
  constructor(entryOf: (id: number) => ServiceEntry) {
    this.#entryOf = entryOf;
  }

  /** Adds the service under this block; adding it twice has no effect. */
  insert(vip: CidrVip, id: number): void {
    const range = new CidrRange(vip.cidr);
    const level = this.#level(vip.network, range.v4, range.length);
    const ids = level.blocks.get(range.key);
    if (ids === undefined) level.blocks.set(range.key, [id]);
    else if (!ids.includes(id)) ids.push(id);
  }

  #level(network: string, v4: boolean, length: number): Level {
    const key = levelsKey(network, v4);
    let levels = this.#levels.get(key);
    if (levels === undefined) this.#levels.set(key, levels = []);
    let level = levels.find((each) => each.length === length);
    if (level === undefined) {
      level = { length, blocks: new Map() };
      levels.push(level);
      levels.sort((a, b) => b.length - a.length);
    }
    return level;
  }

  /** Removes the service from this block; no effect where it is not there. */
  remove(vip: CidrVip, id: number): void {
    const range = new CidrRange(vip.cidr);
    const key = levelsKey(vip.network, range.v4);
    const levels = this.#levels.get(key) ?? [];
    const level = levels.find((each) => each.length === range.length);
    const rest = level?.blocks.get(range.key)?.filter((other) => other !== id);
    if (level === undefined || rest === undefined) return;
    if (rest.length > 0) level.blocks.set(range.key, rest);
    else level.blocks.delete(range.key);
    const used = levels.filter((each) => each.blocks.size > 0);
    if (used.length > 0) this.#levels.set(key, used);
    else this.#levels.delete(key);
  }

  /**
   * The best service whose block contains `ip`: of the client's namespace, then the longest block, then a canonical
   * one, then the first that arrived (`docs/spec/xds-state.md` 4.2).
   */
  find(network: string, ip: Ip, clientNamespace: string | null): ServiceEntry | null {
    if (this.#levels.size === 0) return null;
    const bits = ipBits(ip);
    let other: ServiceEntry | null = null;
    for (const level of this.#levels.get(levelsKey(network, bits.v4)) ?? []) {
      const ids = level.blocks.get(maskedKey(bits, level.length));
      if (ids === undefined) continue;
      const entries = ids.map(this.#entryOf);
      const own = firstCanonical(entries, (entry) => entry.service.namespace === clientNamespace);
      if (own !== null) return own;
      other ??= firstCanonical(entries, (entry) => isVisible(entry.service, clientNamespace));
    }
    return other;
  }

  /** Number of blocks. */
  get size(): number {
    let size = 0;
    for (const levels of this.#levels.values()) for (const level of levels) size += level.blocks.size;
    return size;
  }

  clear(): void {
    this.#levels.clear();
  }
}

function levelsKey(network: string, v4: boolean): string {
  return v4 ? `4${network}` : `6${network}`;
}

function firstCanonical(entries: readonly ServiceEntry[], wanted: (entry: ServiceEntry) => boolean) {
  let first: ServiceEntry | null = null;
  for (const entry of entries) {
    if (!wanted(entry)) continue;
    if (entry.service.canonical) return entry;
    first ??= entry;
  }
  return first;
}
