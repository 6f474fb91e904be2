/**
 * What requests must have in common to share a connection, and a table by that. A text as the key would cost a quarter
 * of a microsecond and 350 bytes for each request.
 */
import { formatAddress } from "../net/address.ts";
import type { TunnelRequest } from "./tunnel_request.ts";

/** Requests that differ in any of these must not share a connection. */
export type PoolKey = Pick<TunnelRequest, "source" | "sourceIp" | "destination" | "peer">;

/** A copy without the rest of the request. */
export function keyOf({ source, sourceIp, destination, peer }: PoolKey): PoolKey {
  return { source, sourceIp, destination, peer };
}

/** Equal keys have equal texts. */
export function textOf({ source, sourceIp, destination, peer }: PoolKey): string {
  return `${source} ${sourceIp} ${destination} ${formatAddress(peer.address)} ${peer.expected.join(",")}`;
}

function isSame(a: PoolKey, b: PoolKey): boolean {
  return a.destination === b.destination && a.source === b.source && a.sourceIp === b.sourceIp &&
    a.peer.address.port === b.peer.address.port && a.peer.address.ip === b.peer.address.ip &&
    isEqual(a.peer.expected, b.peer.expected);
}

function isEqual(a: readonly string[], b: readonly string[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Entries by their keys. */
export class PoolTable<T extends { readonly key: PoolKey }> {
  /** By destination, which few keys share: those of different ports, or of services with different identities. */
  readonly #byDestination = new Map<string, T[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: PoolKey): T | undefined {
    const entries = this.#byDestination.get(key.destination);
    if (entries === undefined) return undefined;
    for (let i = 0; i < entries.length; i++) if (isSame(entries[i]!.key, key)) return entries[i];
    return undefined;
  }

  /** There must be no entry with this key. */
  add(entry: T): void {
    const { destination } = entry.key;
    const entries = this.#byDestination.get(destination);
    if (entries === undefined) this.#byDestination.set(destination, [entry]);
    else entries.push(entry);
    this.#size++;
  }

  /** Idempotent. */
  delete(entry: T): void {
    const { destination } = entry.key;
    const entries = this.#byDestination.get(destination) ?? [];
    const at = entries.indexOf(entry);
    if (at < 0) return;
    entries.splice(at, 1);
    if (entries.length === 0) this.#byDestination.delete(destination);
    this.#size--;
  }

  values(): T[] {
    return [...this.#byDestination.values()].flat();
  }

  clear(): void {
    this.#byDestination.clear();
    this.#size = 0;
  }
}
