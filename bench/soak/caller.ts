/**
 * Makes the connections of a soak run from one place: `caller.ts CALLS`, with a list of `Call` as JSON. Prints the
 * `Tally` of each every five seconds as JSON in one line. On SIGTERM it begins no further connections, and ends when
 * those in progress have ended.
 */
import { type Call, make } from "./calls.ts";

/** What has come of the connections of a call. */
export interface Tally {
  readonly succeeded: number;
  readonly failed: number;
  /** How many failed, by reason; the first ones. */
  readonly reasons: Readonly<Record<string, number>>;
}

const REPORT_MS = 5000, STEP_MS = 20;
/** A connection without an end by then has failed. */
const LIMIT_MS = 60_000;
const REASONS = 10;

class Line {
  succeeded = 0;
  failed = 0;
  running = 0;
  readonly reasons: Record<string, number> = {};
  #due = 0;

  constructor(readonly call: Call) {}

  /** Begins the connections that are due. `now`: ms. */
  step(now: number): void {
    if (this.#due === 0) this.#due = now + Math.random() * 1000 / this.call.perSecond;
    // What could not begin in time, as this process had no CPU, is not made up for.
    if (now - this.#due > REPORT_MS) this.#due = now;
    for (; this.#due <= now; this.#due += 1000 / this.call.perSecond) void this.#make();
  }

  async #make(): Promise<void> {
    this.running++;
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error(`no end within ${LIMIT_MS / 1000} s`)), LIMIT_MS);
    try {
      await Promise.race([make(this.call), late.promise]);
      this.succeeded++;
    } catch (error) {
      this.#count(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
    } finally {
      clearTimeout(timer);
      this.running--;
    }
  }

  #count(reason: string): void {
    this.failed++;
    if (reason in this.reasons || Object.keys(this.reasons).length < REASONS) {
      this.reasons[reason] = (this.reasons[reason] ?? 0) + 1;
    }
  }
}

function report(lines: readonly Line[]): void {
  const tallies = lines.map(({ call, succeeded, failed, reasons }) => [call.name, { succeeded, failed, reasons }]);
  console.log(JSON.stringify(Object.fromEntries(tallies)));
}

if (import.meta.main) {
  const lines = (JSON.parse(Deno.args[0] ?? "") as Call[]).map((call) => new Line(call));
  const steps = setInterval(() => lines.forEach((line) => line.step(performance.now())), STEP_MS);
  setInterval(() => report(lines), REPORT_MS);
  Deno.addSignalListener("SIGTERM", () => {
    clearInterval(steps);
    setInterval(() => {
      if (lines.some(({ running }) => running > 0)) return;
      report(lines);
      Deno.exit(0);
    }, STEP_MS);
  });
}
