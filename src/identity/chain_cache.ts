/** Remembers the last chains that were found to be in order, so that a handshake with a known peer costs one hash. */
import { createHash } from "node:crypto";

/** Least recently used chains fall out beyond `limit`. Nothing here depends on the time or on who was expected. */
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
 * What was hashed before. Nobody writes to a path, and the TLS engine hands out the very same one for each handshake in
 * which a peer presents the same (`os/verified_paths.ts`): so a known peer costs not even the hash.
 */
const contents = new WeakMap<readonly Uint8Array[], string>();

/** SHA-256 over the chain. The lengths and the role keep different inputs with the same bytes apart. */
export function chainKey(chain: readonly Uint8Array[], role: string): string {
  let content = contents.get(chain);
  if (content === undefined) contents.set(chain, content = contentKey(chain));
  return role + content;
}

function contentKey(chain: readonly Uint8Array[]): string {
  const hash = createHash("sha256");
  let key = "";
  for (const certificate of chain) {
    hash.update(certificate);
    key += ` ${certificate.length}`;
  }
  return key + hash.digest("base64");
}
