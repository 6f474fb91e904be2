/** The log of the main isolate, and the filter that all isolates share. */
import type { FilterControl } from "../admin/logging_route.ts";
import type { Config } from "../config/config.ts";
import { ConfigError } from "../config/error.ts";
import { Log } from "../telemetry/log.ts";
import type { LogFilter } from "../telemetry/log_filter.ts";
import { logFormat } from "../telemetry/log_format.ts";
import { startFilter } from "../telemetry/log_levels.ts";
import { logDropped, type LogOutput, openLogOutput, writerTo } from "../telemetry/log_output.ts";
import type { LogWriter } from "../telemetry/log_writer.ts";
import { systemClock } from "../telemetry/timestamp.ts";

/** Exit code of the native proxy for a bad `RUST_LOG`. */
const PANIC = 101;

export interface MainLog {
  readonly log: Log;
  readonly filter: LogFilter;
  readonly writer: LogWriter;
  /** The description of the output, from which each worker makes a writer of its own. */
  readonly output: LogOutput;
}

/** Throws `ConfigError` where `RUST_LOG` cannot be parsed. */
export function makeLog(config: Config): MainLog {
  const filter = startFilter(config.log.filter);
  if (typeof filter === "string") throw new ConfigError(`RUST_LOG: ${filter}`, PANIC);
  const output = openLogOutput(1);
  const writer = writerTo(output, {
    flushSoon: () => queueMicrotask(() => writer.flush()),
    retryAfter: (delay) => void setTimeout(() => writer.retry(), delay),
    onDropped: (count) => logDropped(log, count),
  });
  const log: Log = new Log({ filter, format: logFormat(config.log.format), writer, clock: systemClock() });
  return { log, filter, writer, output };
}

/** Changes the filter in the main isolate and, by `send`, in every worker. */
export class FilterOwner implements FilterControl {
  readonly start: LogFilter;
  readonly #log: Log;
  readonly #send: (filter: string) => void;

  constructor(log: Log, start: LogFilter, send: (filter: string) => void) {
    this.start = start;
    this.#log = log;
    this.#send = send;
  }

  get current(): LogFilter {
    return this.#log.filter;
  }

  change(filter: LogFilter): void {
    this.#log.scope("ztunnel::telemetry").info(`new log filter is ${filter}`);
    this.#log.filter = filter;
    this.#send(filter.toString());
  }
}
