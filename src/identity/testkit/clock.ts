/** Virtual wall clock for tests. */
import type { WallClock } from "../certificate_manager.ts";

interface Pending {
  at: number;
  readonly order: number;
  readonly run: () => void;
}

export class TestClock implements WallClock {
  readonly #pending = new Set<Pending>();
  /** Moves on with `advance`; `#elapsed` is what timers go by, as they do not notice a clock that is set. */
  #elapsed = 0;
  #offset: number;
  #order = 0;

  constructor(start: number) {
    this.#offset = start;
  }

  get timers(): number {
    return this.#pending.size;
  }

  now(): number {
    return this.#offset + this.#elapsed;
  }

  /** Sets the wall clock; timers stay. */
  set(now: number): void {
    this.#offset = now - this.#elapsed;
  }

  after(delay: number, run: () => void): { cancel(): void } {
    const timer: Pending = { at: this.#elapsed + delay, order: this.#order++, run };
    this.#pending.add(timer);
    return { cancel: () => void this.#pending.delete(timer) };
  }

  /** A promise for a later moment. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve));
  }

  /** Lets `ms` pass: every timer runs at its time, and promises are settled before the next. */
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

  #first(): Pending | null {
    let first: Pending | null = null;
    for (const timer of this.#pending) {
      if (first === null || timer.at < first.at || timer.at === first.at && timer.order < first.order) first = timer;
    }
    return first;
  }
}

/** One macrotask: every microtask queued so far, and those they queue, have run. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
