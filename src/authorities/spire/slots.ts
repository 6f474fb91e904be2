/** Limits how many operations run at the same time. Others wait in order. */

interface Waiting {
  acquire(): void;
}

/** A counting semaphore. */
export class Slots {
  readonly #limit: number;
  /** In the order of arrival. */
  readonly #waiting = new Set<Waiting>();
  #inUse = 0;

  constructor(limit: number) {
    if (limit < 1) throw new RangeError("the limit must be at least 1");
    this.#limit = limit;
  }

  /** The number of slots in use. */
  get inUse(): number {
    return this.#inUse;
  }

  /** The number of waiting callers. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Waits for a slot; resolves with the function that releases it, which is idempotent. Rejects with the reason of
   * `signal`.
   */
  async acquire(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#inUse >= this.#limit) await this.#wait(signal);
    else this.#inUse++;
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      this.#release();
    };
  }

  #wait(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = () => {
      this.#waiting.delete(place);
      reject(signal.reason);
    };
    const place: Waiting = {
      acquire() {
        signal.removeEventListener("abort", abort);
        resolve();
      },
    };
    signal.addEventListener("abort", abort, { once: true });
    this.#waiting.add(place);
    return promise;
  }

  /** Passes the slot to the caller that has waited longest, so that no new caller can take it. */
  #release(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#inUse--;
      return;
    }
    this.#waiting.delete(next);
    next.acquire();
  }
}
