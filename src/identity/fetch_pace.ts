/** Never more than one request per second and key, whatever the authority answers (`docs/spec/observed.md` O10). */

const GAP = 1000;

/**
 * Remembers starts of the last second, also of keys that were forgotten since. Emptied by its own use: each start
 * drops those that have aged.
 */
export class FetchPace {
  readonly #starts = new Map<string, number>();

  get size(): number {
    return this.#starts.size;
  }

  /** `now` or the first later moment at which `key` may be fetched. ms since the epoch. */
  earliest(key: string, now: number): number {
    const last = this.#starts.get(key);
    return last === undefined ? now : Math.max(now, last + GAP);
  }

  started(key: string, now: number): void {
    for (const [other, at] of this.#starts) {
      if (at + GAP > now) break;
      this.#starts.delete(other);
    }
    this.#starts.delete(key);
    this.#starts.set(key, now);
  }

  clear(): void {
    this.#starts.clear();
  }
}
