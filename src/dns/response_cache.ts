/**
 * Caches responses of upstream servers for their TTL (`docs/spec/inpod-dns.md` B5.11). The key is the whole question
 * without its id, so questions with different flags or options (DO, CD, payload size) have their own responses.
 */
import type { Millis } from "../net/clock.ts";
import type { UpstreamResponse } from "./attempt.ts";

/** Bytes that all caches of the isolate may still use. */
export interface ByteBudget {
  left: number;
}

/** An entry of the cache. */
export interface CachedResponse {
  readonly full: UpstreamResponse;
  /** The truncated response, for clients that cannot take the full one; null: there was none. */
  readonly short: UpstreamResponse | null;
  readonly at: Millis;
  readonly until: Millis;
  readonly size: number;
}

/** Limits of one pod. */
const ENTRIES = 8192;
const BYTES = 4 << 20;
/** Estimated bytes of an entry besides its messages and its key. */
const OVERHEAD = 300;

/** The cache of one pod. */
export class ResponseCache {
  /** The least recently used first. */
  readonly #entries = new Map<string, CachedResponse>();
  readonly #budget: ByteBudget;
  #bytes = 0;

  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The response, unless it has expired. */
  get(key: string, now: Millis): CachedResponse | null {
    const cached = this.#entries.get(key);
    if (cached === undefined) return null;
    this.#entries.delete(key);
    if (now >= cached.until) {
      this.#account(-cached.size);
      return null;
    }
    this.#entries.set(key, cached);
    return cached;
  }

  /** Stores a response, unless its lifetime is 0 or the limits leave no room for it. */
  store(key: string, full: UpstreamResponse, short: UpstreamResponse | null, now: Millis): void {
    const { lifetime } = full.facts;
    if (lifetime <= 0) return;
    const size = OVERHEAD + 2 * key.length + full.bytes.length + (short?.bytes.length ?? 0);
    this.#remove(key);
    while (this.#entries.size >= ENTRIES || this.#bytes + size > BYTES || size > this.#budget.left) {
      const [oldest] = this.#entries.keys();
      if (oldest === undefined) return;
      this.#remove(oldest);
    }
    this.#entries.set(key, { full, short, at: now, until: now + 1000 * lifetime, size });
    this.#account(size);
  }

  /** Removes all entries. */
  clear(): void {
    this.#account(-this.#bytes);
    this.#entries.clear();
  }

  #remove(key: string): void {
    const cached = this.#entries.get(key);
    if (cached === undefined) return;
    this.#entries.delete(key);
    this.#account(-cached.size);
  }

  #account(bytes: number): void {
    this.#bytes += bytes;
    this.#budget.left -= bytes;
  }
}
