/** Reports shed connections: the first at once, then their sum every ten seconds (`docs/spec/observed.md` O29). */
import type { Timer } from "./clock.ts";
import type { Scheduler } from "./network.ts";

const INTERVAL_MS = 10_000;

/** The shed connections of one listener. */
export class ShedReport {
  readonly #scheduler: Scheduler;
  readonly #report: (count: number, code: string) => void;
  #count = 0;
  #code: string | null = null;
  #timer: Timer | null = null;

  /** `report` gets the connections since its last call, and the errno name of the newest. */
  constructor(scheduler: Scheduler, report: (count: number, code: string) => void) {
    this.#scheduler = scheduler;
    this.#report = report;
  }

  add(count: number, code: string): void {
    this.#count += count;
    this.#code = code;
    if (this.#timer === null) this.#reportNow();
  }

  /** Reports what was not reported yet, and stops. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#code !== null) this.#report(this.#count, this.#code);
    this.#code = null;
  }

  #reportNow(): void {
    const count = this.#count, code = this.#code;
    this.#count = 0;
    this.#code = null;
    this.#timer = null;
    if (code === null) return;
    this.#timer = this.#scheduler.after(INTERVAL_MS, () => this.#reportNow());
    this.#report(count, code);
  }
}
