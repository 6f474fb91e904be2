/**
 * A cache of paths that the TLS library has verified. Building a path and checking its signatures is a third of a
 * handshake, and most peers connect again with the same certificates.
 *
 * The key contains everything on which the result depends: the context, which stands for the trust anchors, the role,
 * which stands for the purpose, and all certificates that the peer presented. It does not contain the time: whoever
 * accepts a path must check the validity of its certificates each time, as `identity/verify_peer.ts` does. Entries expire
 * after a minute. Each handshake proves that the peer has the private key.
 */
/** About 2 MB when full. */
const LIMIT = 1024;
const LIFE_MS = 60_000;

interface VerifiedPath {
  readonly path: readonly Uint8Array[];
  readonly until: number;
}

/** A bounded cache. Times are ms of a monotonic clock. */
export class VerifiedPaths {
  /** By {@link pathKey}, oldest first. */
  readonly #paths = new Map<string, VerifiedPath>();

  /** Entries, expired ones included. */
  get size(): number {
    return this.#paths.size;
  }

  /** The verified path for a key. Null: it must be verified. */
  get(key: string, now: number): readonly Uint8Array[] | null {
    const known = this.#paths.get(key);
    if (known === undefined) return null;
    if (now < known.until) return known.path;
    this.#paths.delete(key);
    return null;
  }

  /** Adds a path. When the cache is full the oldest entry is removed. */
  set(key: string, path: readonly Uint8Array[], now: number): void {
    this.#paths.delete(key);
    this.#paths.set(key, { path, until: now + LIFE_MS });
    if (this.#paths.size <= LIMIT) return;
    for (const oldest of this.#paths.keys()) return void this.#paths.delete(oldest);
  }
}

/**
 * The key of a path. `context`: the number of the context, which no other gets. `presented`: digests of all certificates
 * that the peer sent, leaf first.
 */
export function pathKey(context: number, role: string, presented: readonly string[]): string {
  return `${context} ${role} ${presented.join(" ")}`;
}
