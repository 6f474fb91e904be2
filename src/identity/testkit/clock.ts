/** A virtual wall clock for tests. */
import type { Timer, WallClock } from "../../net/clock.ts";

interface PendingTimer {
  at: number;
  readonly order: number;
  readonly run: () => void;
}

/** A clock that stands still except during `advance`. */
export class TestClock implements WallClock {
  readonly #pending = new Set<PendingTimer>();
  /** Increased by `advance`. Timers use it and not the wall clock, which `set` changes. */
  #elapsed = 0;
  #offset: number;
  #order = 0;

  constructor(start: number) {
    this.#offset = start;
  }

  /** The number of pending timers. */
  get timers(): number {
    return this.#pending.size;
  }

  now(): number {
    return this.#offset + this.#elapsed;
  }

  elapsed(): number {
    return this.#elapsed;
  }

  /** Sets the wall clock; the remaining delays of timers stay the same. */
  set(now: number): void {
    this.#offset = now - this.#elapsed;
  }

  after(delay: number, run: () => void): Timer {
    const timer: PendingTimer = { at: this.#elapsed + delay, order: this.#order++, run };
    this.#pending.add(timer);
    return { cancel: () => void this.#pending.delete(timer) };
  }

  /** Returns a promise that resolves after `ms`. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve));
  }

  /** Advances the time by `ms` and runs every due timer; settled promises continue before the next timer runs. */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsed + ms;
    await settle();
    for (let next = this.#first(); next !== null && next.at <= end; next = this.#first()) {
      this.#elapsed = Math.max(this.#elapsed, next.at);
      this.#pending.delete(next);
      next.run();
      await settle();
    }
    this.#elapsed = end;
  }

  #first(): PendingTimer | null {
    let first: PendingTimer | null = null;
    for (const timer of this.#pending) {
      if (first === null || timer.at < first.at || timer.at === first.at && timer.order < first.order) first = timer;
    }
    return first;
  }
}

/** Waits for one macrotask, so that all queued microtasks have run. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
