/** Audits the pods every half minute: logs differences that are new, and when none is left. */
import { type AuditState, type Difference, findDifferences, type FoundPod } from "../../inpod/audit.ts";
import type { Millis, Timer } from "../../net/clock.ts";
import type { Scheduler } from "../../net/network.ts";
import type { LogScope } from "../../telemetry/log.ts";

const INTERVAL: Millis = 30_000;
/** Lines of one audit; the number of further differences follows them. */
const LINES_MAX = 20;

interface AuditParts {
  readonly scheduler: Scheduler;
  /** The state that the main isolate has recorded. */
  books(): AuditState;
  /** The pods that each worker serves. */
  ask(): Promise<readonly (readonly FoundPod[])[]>;
  readonly log: LogScope;
  readonly audits: { value: number };
  readonly differences: { value: number };
}

/** The periodic audit; `start` and `stop` control it. */
export class PodAudit {
  readonly #parts: AuditParts;
  #timer: Timer | null = null;
  #running = false;
  #found: readonly Difference[] = [];

  constructor(parts: AuditParts) {
    this.#parts = parts;
  }

  /** The differences of the last audit. */
  get differences(): readonly Difference[] {
    return this.#found;
  }

  start(): void {
    this.#timer = this.#parts.scheduler.after(INTERVAL, () => {
      this.start();
      if (this.#running) this.#report([{ uid: null, text: "the workers have not answered the last audit" }]);
      else void this.#run();
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  async #run(): Promise<void> {
    this.#running = true;
    const before = this.#parts.books();
    const found = await this.#parts.ask();
    this.#running = false;
    // After a stop the pods are ending, so differences are expected.
    if (this.#timer !== null) this.#report(findDifferences(before, found, this.#parts.books()));
  }

  #report(differences: readonly Difference[]): void {
    const { log, audits } = this.#parts;
    audits.value++;
    const known = new Set(this.#found.map(keyOf));
    const fresh = differences.filter((difference) => !known.has(keyOf(difference)));
    for (const { uid, text } of fresh.slice(0, LINES_MAX)) log.warn(`pods audit: ${text}`, { uid });
    if (fresh.length > LINES_MAX) log.warn(`pods audit: ${fresh.length - LINES_MAX} more differences`);
    if (differences.length === 0 && known.size > 0) log.info("pods audit: everything is as it should be again");
    this.#found = differences;
    this.#parts.differences.value = differences.length;
  }
}

function keyOf({ uid, text }: Difference): string {
  return `${uid} ${text}`;
}
