/**
 * Limits warnings and errors that a peer can cause as often as it likes: they would fill the disk and hide everything
 * else. {@link MAX_LINES} lines of each cause are written in a minute; then one line reports how many were suppressed.
 * Access log lines are records of connections and are not limited.
 */
import type { Timer } from "../net/clock.ts";
import type { Scheduler } from "../net/network.ts";
import type { LogScope } from "./log.ts";
import type { Fields } from "./log_fields.ts";

const MINUTE = 60_000;
/** Lines of one cause written in a minute. */
const MAX_LINES = 10;
/** Causes that are counted separately; further ones share one count. Most are constants, some name a policy. */
const MAX_CAUSES = 64;
const OTHERS = "";

type Severity = "warn" | "error";

/** The current minute of one cause. */
interface Minute {
  written: number;
  leftOut: number;
  /** Logs the number of suppressed lines, with the text of the last one. */
  summary: () => void;
  timer: Timer;
}

/** Counts lines by cause. */
export class LineLimit {
  readonly #scheduler: Pick<Scheduler, "after">;
  /** A cause is removed after a minute without a suppressed line. */
  readonly #minutes = new Map<string, Minute>();
  #closed = false;

  constructor(scheduler: Pick<Scheduler, "after">) {
    this.#scheduler = scheduler;
  }

  /** Logs a warning within the limit of `cause`: a short constant text that names the event, but not the peer. */
  warn(cause: string, scope: LogScope, message: string, fields?: Fields): void {
    this.#write("warn", cause, scope, message, fields);
  }

  /** As {@link warn}, at level error. */
  error(cause: string, scope: LogScope, message: string, fields?: Fields): void {
    this.#write("error", cause, scope, message, fields);
  }

  /** Logs the counts so far. From then on nothing is limited, since no count would be logged any more. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const minute of this.#minutes.values()) {
      minute.timer.cancel();
      if (minute.leftOut > 0) minute.summary();
    }
    this.#minutes.clear();
  }

  #write(severity: Severity, cause: string, scope: LogScope, message: string, fields?: Fields): void {
    if (this.#closed) return scope[severity](message, fields);
    const minute = this.#minuteOf(cause);
    if (minute.written < MAX_LINES) {
      minute.written++;
      return scope[severity](message, fields);
    }
    minute.leftOut++;
    minute.summary = () =>
      scope[severity](`more lines like this were left out: ${message}`, { left_out: minute.leftOut });
  }

  #minuteOf(cause: string): Minute {
    const known = this.#minutes.get(cause);
    if (known !== undefined) return known;
    const key = this.#minutes.size < MAX_CAUSES ? cause : OTHERS;
    let minute = this.#minutes.get(key);
    if (minute === undefined) {
      minute = { written: 0, leftOut: 0, summary() {}, timer: this.#start(key) };
      this.#minutes.set(key, minute);
    }
    return minute;
  }

  #start(key: string): Timer {
    return this.#scheduler.after(MINUTE, () => this.#end(key));
  }

  #end(key: string): void {
    const minute = this.#minutes.get(key)!;
    if (minute.leftOut === 0) return void this.#minutes.delete(key);
    minute.summary();
    minute.written = minute.leftOut = 0;
    minute.timer = this.#start(key);
  }
}
