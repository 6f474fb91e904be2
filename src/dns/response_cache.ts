/**
 * Answers of upstream servers, kept for as long as they allow (`docs/spec/inpod-dns.md` B5.11). The key is all of the
 * question but its id, so whatever a client may have asked for in it (DO, CD, a payload size) is answered as it was.
 */
import type { Millis } from "../net/clock.ts";
import type { Answer } from "./attempt.ts";

/** Bytes that all caches of the isolate may still take. */
export interface ByteBudget {
  left: number;
}

export interface Kept {
  readonly full: Answer;
  /** For clients who cannot take the full one. */
  readonly short: Answer | null;
  readonly at: Millis;
  readonly until: Millis;
  readonly size: number;
}

const ENTRIES = 8192;
const BYTES = 4 << 20;
/** Of an entry beside its messages and its key. */
const OVERHEAD = 300;

export class ResponseCache {
  /** The least recently used first. */
  readonly #entries = new Map<string, Kept>();
  readonly #budget: ByteBudget;
  #bytes = 0;

  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string, now: Millis): Kept | null {
    const kept = this.#entries.get(key);
    if (kept === undefined) return null;
    this.#entries.delete(key);
    if (now >= kept.until) {
      this.#account(-kept.size);
      return null;
    }
    this.#entries.set(key, kept);
    return kept;
  }

  keep(key: string, full: Answer, short: Answer | null, now: Millis): void {
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

  clear(): void {
    this.#account(-this.#bytes);
    this.#entries.clear();
  }

  #remove(key: string): void {
    const kept = this.#entries.get(key);
    if (kept === undefined) return;
    this.#entries.delete(key);
    this.#account(-kept.size);
  }

  #account(bytes: number): void {
    this.#bytes += bytes;
    this.#budget.left -= bytes;
  }
}
