/** Limits the requests for one certificate to one per second (`docs/spec/observed.md` O10). */

const GAP = 1000;

/**
 * Keeps the start times of the last second, also for keys that the manager has removed since. Each new start drops the
 * older ones.
 */
export class FetchPace {
  readonly #starts = new Map<string, number>();

  get size(): number {
    return this.#starts.size;
  }

  /** Returns the first moment, not before `now`, at which `key` may be fetched; ms since the epoch. */
  earliest(key: string, now: number): number {
    const last = this.#starts.get(key);
    return last === undefined ? now : Math.max(now, last + GAP);
  }

  /** Records that a fetch of `key` starts. `now`: ms since the epoch. */
  started(key: string, now: number): void {
    for (const [other, at] of this.#starts) {
      if (at + GAP > now) break;
      this.#starts.delete(other);
    }
    this.#starts.delete(key);
    this.#starts.set(key, now);
  }

  /** Drops all start times. */
  clear(): void {
    this.#starts.clear();
  }
}
