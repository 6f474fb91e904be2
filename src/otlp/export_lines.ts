/** Log lines about the export of one signal: one for each change of its state, however often requests fail. */
import type { OtlpSignal } from "../config/otlp_settings.ts";
import type { LogScope } from "../telemetry/log.ts";
import type { Problem } from "./problem.ts";

/** The lines of one signal. */
export class ExportLines {
  readonly #log: LogScope;
  readonly #signal: OtlpSignal;
  readonly #place: string;
  readonly #dropped: () => number;
  /** The kind of the problem that was logged last; null: it works. */
  #kind: string | null = null;
  #droppedBefore = 0;

  /** `dropped`: how many records were dropped so far. */
  constructor(log: LogScope, signal: OtlpSignal, url: string, dropped: () => number) {
    this.#log = log;
    this.#signal = signal;
    this.#place = placeOf(url);
    this.#dropped = dropped;
  }

  failed({ kind, text, setting }: Problem): void {
    if (kind === this.#kind) return;
    if (this.#kind === null) this.#droppedBefore = this.#dropped();
    this.#kind = kind;
    const name = `OTEL_EXPORTER_OTLP_${setting}`;
    this.#log.error(
      `OTLP ${this.#signal} are not exported to ${this.#place}: ${text} (${name}); traffic goes on, what cannot wait ` +
        "is dropped and counted in ztunnel_otlp_dropped_total",
    );
  }

  works(): void {
    if (this.#kind === null) return;
    this.#kind = null;
    const lost = this.#dropped() - this.#droppedBefore;
    this.#log.info(`OTLP ${this.#signal} are exported to ${this.#place} again, ${lost} were dropped meanwhile`);
  }
}

/** A URL without what may be secret. */
function placeOf(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}
