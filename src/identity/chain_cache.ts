/** Caches the results for the last chains, so that a handshake with a known peer costs one SHA-256 and no parsing. */
import { sha256Text } from "./sha256.ts";

/**
 * A cache that evicts the least recently used entry. Its values must not depend on the time or on the expected peer.
 */
export class ChainCache<T> {
  readonly #entries = new Map<string, T>();

  /** `limit` is in chains; one costs about 400 bytes. */
  constructor(readonly limit: number) {}

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): T | undefined {
    const found = this.#entries.get(key);
    if (found === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, found);
    return found;
  }

  set(key: string, value: T): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= this.limit) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }
}

/**
 * The hashes of chains, by the identity of the array. Chains are never modified, and the TLS engine returns the same
 * array for each handshake in which a peer presents the same certificates (`os/verified_paths.ts`), so that a known
 * peer is not even hashed.
 */
const contents = new WeakMap<readonly Uint8Array[], string>();

/**
 * Returns the key of a chain: its SHA-256 with the lengths of the certificates, which distinguish chains with the same
 * concatenation, and with the role.
 */
export function chainKey(chain: readonly Uint8Array[], role: string): string {
  let content = contents.get(chain);
  if (content === undefined) contents.set(chain, content = contentKey(chain));
  return role + content;
}

function contentKey(chain: readonly Uint8Array[]): string {
  const lengths = chain.map((certificate) => ` ${certificate.length}`);
  return lengths.join("") + sha256Text(...chain);
}
