/** Decides which certificate to fetch next (`docs/spec/identity-spire.md` 2.1). The time is a parameter. */

/** Fetches of a higher priority come first. */
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
 * A queue with one entry per key. A node has some hundreds of identities, so `take` compares all of them and nothing is
 * kept sorted. Its size is limited by its owner, which adds only the keys that it manages.
 */
export class FetchQueue {
  readonly #entries = new Map<string, QueuedFetch>();
  #order = 0;

  get size(): number {
    return this.#entries.size;
  }

  /**
   * Adds the key. A key that is queued already is moved only to a higher priority, or within its priority to an earlier
   * time. `due`: ms since the epoch.
   */
  add(key: string, priority: Priority, due: number): void {
    const known = this.#entries.get(key);
    if (known !== undefined && !precedes({ priority, due }, known)) return;
    this.#entries.set(key, { priority, due, order: known?.order ?? this.#order++ });
  }

  /** Removes the key, if it is queued. */
  remove(key: string): void {
    this.#entries.delete(key);
  }

  /**
   * Removes and returns the first key that is due: highest priority, then earliest time, then order of arrival. Keys that
   * are not due do not delay others. Null: no key is due. `now`: ms since the epoch.
   */
  take(now: number): string | null {
    let best: [key: string, entry: QueuedFetch] | null = null;
    for (const candidate of this.#entries) {
      const [, entry] = candidate;
      if (entry.due <= now && (best === null || precedes(entry, best[1]) || precedesEqual(entry, best[1]))) {
        best = candidate;
      }
    }
    if (best === null) return null;
    this.#entries.delete(best[0]);
    return best[0];
  }

  /** Returns the earliest due time in ms since the epoch; null when the queue is empty. */
  nextDue(): number | null {
    let earliest: number | null = null;
    for (const { due } of this.#entries.values()) earliest = Math.min(earliest ?? due, due);
    return earliest;
  }

  /** Adjusts all due times after the wall clock was changed by `by` ms, so that the remaining delays stay the same. */
  shift(by: number): void {
    for (const entry of this.#entries.values()) entry.due += by;
  }

  /** Removes all keys. */
  clear(): void {
    this.#entries.clear();
  }
}

function precedes(a: Pick<QueuedFetch, "priority" | "due">, b: Pick<QueuedFetch, "priority" | "due">): boolean {
  return a.priority !== b.priority ? a.priority > b.priority : a.due < b.due;
}

/** Both have the same priority and time, and `a` was added earlier. */
function precedesEqual(a: QueuedFetch, b: QueuedFetch): boolean {
  return a.priority === b.priority && a.due === b.due && a.order < b.order;
}
