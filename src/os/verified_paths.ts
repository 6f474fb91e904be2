/**
 * Paths that OpenSSL has verified lately: building one and checking its signatures is a third of a handshake, and peers
 * come back with the same certificates.
 *
 * What makes the answer is in the key: the context, which stands for the trust anchors, the role, which stands for the
 * purpose, and all that the peer presented. Time is not, so whoever decides about a path has to look at the validity of
 * its certificates each time, as `identity/verify_peer.ts` does; and nothing is remembered for longer than a minute. That
 * the peer has the private key is proven in every handshake.
 */
/** About 2 MB when full. */
const LIMIT = 1024;
const LIFE_MS = 60_000;

interface VerifiedPath {
  readonly path: readonly Uint8Array[];
  readonly until: number;
}

export class VerifiedPaths {
  /** Oldest first. */
  readonly #paths = new Map<string, VerifiedPath>();

  get size(): number {
    return this.#paths.size;
  }

  /** `now`: monotonic, ms. Null: it has to be verified. */
  get(key: string, now: number): readonly Uint8Array[] | null {
    const known = this.#paths.get(key);
    if (known === undefined) return null;
    if (now < known.until) return known.path;
    this.#paths.delete(key);
    return null;
  }

  set(key: string, path: readonly Uint8Array[], now: number): void {
    this.#paths.delete(key);
    this.#paths.set(key, { path, until: now + LIFE_MS });
    if (this.#paths.size <= LIMIT) return;
    for (const oldest of this.#paths.keys()) return void this.#paths.delete(oldest);
  }
}

/** `context`: its number, never used again. `presented`: digests of all that the peer sent, leaf first. */
export function pathKey(context: number, role: string, presented: readonly string[]): string {
  return `${context} ${role} ${presented.join(" ")}`;
}
