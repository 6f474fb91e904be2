/**
 * Bounds the log of attempts that fail in the same way for hours. The Rust ztunnel warns of each attempt, every 15 s
 * (`docs/spec/xds-state.md` 2.11). Here the first one is a warning, and then one of twenty: every five minutes.
 */
const REPORTED = 20;

/** A log line and its level. */
interface FailureLine {
  readonly level: "warn" | "debug";
  readonly message: string;
}

/** Chooses the level of each failure. The delay is part of the message, so failures repeat once it does not grow. */
export class RepeatedFailures {
  #message = "";
  #repeats = 0;

  next({ level, message }: FailureLine): FailureLine {
    this.#repeats = message === this.#message ? this.#repeats + 1 : 0;
    this.#message = message;
    if (this.#repeats === 0) return { level, message };
    if (this.#repeats % REPORTED > 0) return { level: "debug", message };
    return { level, message: `${message}; so did the last ${this.#repeats} attempts` };
  }
}
