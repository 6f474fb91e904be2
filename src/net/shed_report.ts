/** Tells of connections that were shed: the first time at once, then a sum every ten seconds (`docs/spec/observed.md` O29). */
import type { Timer } from "./clock.ts";
import type { Scheduler } from "./network.ts";

const INTERVAL_MS = 10_000;

export class ShedReport {
  readonly #scheduler: Scheduler;
  readonly #tell: (count: number, code: string) => void;
  #count = 0;
  #code: string | null = null;
  #timer: Timer | null = null;

  /** `tell` gets the connections since it was called last, and the errno name of the newest. */
  constructor(scheduler: Scheduler, tell: (count: number, code: string) => void) {
    this.#scheduler = scheduler;
    this.#tell = tell;
  }

  add(count: number, code: string): void {
    this.#count += count;
    this.#code = code;
    if (this.#timer === null) this.#tellNow();
  }

  /** Tells what is left. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#code !== null) this.#tell(this.#count, this.#code);
    this.#code = null;
  }

  #tellNow(): void {
    const count = this.#count, code = this.#code;
    this.#count = 0;
    this.#code = null;
    this.#timer = null;
    if (code === null) return;
    this.#timer = this.#scheduler.after(INTERVAL_MS, () => this.#tellNow());
    this.#tell(count, code);
  }
}
