/** At most so many at the same time; the others wait for their turn, first come, first served. */

interface Waiting {
  enter(): void;
}

export class Slots {
  readonly #limit: number;
  /** Emptied by those who leave, and by aborted signals. */
  readonly #waiting = new Set<Waiting>();
  #busy = 0;

  constructor(limit: number) {
    if (limit < 1) throw new RangeError("no slots, everybody would wait forever");
    this.#limit = limit;
  }

  get busy(): number {
    return this.#busy;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Gives what has to be called on leaving; calling it again does nothing. Rejects with the reason of `signal`. */
  async enter(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#busy >= this.#limit) await this.#turn(signal);
    else this.#busy++;
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      this.#leave();
    };
  }

  #turn(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = () => {
      this.#waiting.delete(place);
      reject(signal.reason);
    };
    const place: Waiting = {
      enter() {
        signal.removeEventListener("abort", abort);
        resolve();
      },
    };
    signal.addEventListener("abort", abort, { once: true });
    this.#waiting.add(place);
    return promise;
  }

  /** The slot passes to whoever waits longest, so that nobody can slip in between. */
  #leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#busy--;
      return;
    }
    this.#waiting.delete(next);
    next.enter();
  }
}
