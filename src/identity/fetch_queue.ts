/** Which certificate to fetch next (`docs/spec/identity-spire.md` 2.1). No clock of its own. */

/** Higher goes first. */
export enum Priority {
  /** Renewals and retries. */
  Background = 0,
  /** Prefetches. */
  Warmup = 1,
  /** A connection is waiting. */
  RealTime = 2,
}

interface QueuedFetch {
  priority: Priority;
  /** ms since the epoch. */
  due: number;
  readonly order: number;
}

/**
 * One entry per key. A node has some hundreds of identities, so choosing looks at all of them; nothing is kept sorted.
 * Bounded by its owner, who queues only the keys it manages.
 */
export class FetchQueue {
  readonly #entries = new Map<string, QueuedFetch>();
  #order = 0;

  get size(): number {
    return this.#entries.size;
  }

  /** Adds the key, or raises it: to a higher priority, or within its priority to an earlier time. */
  add(key: string, priority: Priority, due: number): void {
    const known = this.#entries.get(key);
    if (known !== undefined && !goesBefore({ priority, due }, known)) return;
    this.#entries.set(key, { priority, due, order: known?.order ?? this.#order++ });
  }

  remove(key: string): void {
    this.#entries.delete(key);
  }

  /**
   * Takes out the first key that is due: highest priority, then earliest time, then order of arrival. What is not due
   * holds up nothing.
   */
  take(now: number): string | null {
    let best: [key: string, entry: QueuedFetch] | null = null;
    for (const candidate of this.#entries) {
      const [, entry] = candidate;
      if (entry.due <= now && (best === null || goesBefore(entry, best[1]) || isTwin(entry, best[1]))) best = candidate;
    }
    if (best === null) return null;
    this.#entries.delete(best[0]);
    return best[0];
  }

  /** The earliest time at which something is due, null when empty. */
  nextDue(): number | null {
    let earliest: number | null = null;
    for (const { due } of this.#entries.values()) earliest = Math.min(earliest ?? due, due);
    return earliest;
  }

  /** The wall clock was set by `by` ms: what was to happen in a minute still happens in a minute. */
  shift(by: number): void {
    for (const entry of this.#entries.values()) entry.due += by;
  }

  clear(): void {
    this.#entries.clear();
  }
}

function goesBefore(a: Pick<QueuedFetch, "priority" | "due">, b: Pick<QueuedFetch, "priority" | "due">): boolean {
  return a.priority !== b.priority ? a.priority > b.priority : a.due < b.due;
}

/** Same rank, but came first. */
function isTwin(a: QueuedFetch, b: QueuedFetch): boolean {
  return a.priority === b.priority && a.due === b.due && a.order < b.order;
}
