/** Free buffers that a burst has left in the pools of one event loop. */

/** Called when pools have more free memory than they keep: call `trim` periodically until it returns false. */
export type OnSurplus = (trim: () => boolean) => void;

/** A pool of buffers. */
export interface Trimmable {
  /** Frees what was not used since the last call. True: there is still more than the pool keeps. */
  trim(): boolean;
}

/** Reports the surplus of several pools once, until all of it has been freed. */
export class Surplus {
  readonly #onSurplus: OnSurplus;
  readonly #pools: Trimmable[] = [];
  #isReported = false;

  constructor(onSurplus: OnSurplus) {
    this.#onSurplus = onSurplus;
  }

  add(pool: Trimmable): void {
    this.#pools.push(pool);
  }

  /** One of the pools has more free memory than it keeps. */
  report(): void {
    if (this.#isReported) return;
    this.#isReported = true;
    this.#onSurplus(() => this.#trim());
  }

  #trim(): boolean {
    // Every pool is trimmed, also behind one that has more to free.
    const hasMore = this.#pools.map((pool) => pool.trim());
    return this.#isReported = hasMore.includes(true);
  }
}
