/** The log of the main isolate, and the filter that all isolates share. */
import type { LogControl } from "../admin/logging_route.ts";
import { type AccessLines, describeAccessLines } from "../config/access_lines.ts";
import type { Config } from "../config/config.ts";
import { ConfigError } from "../config/error.ts";
import type { ToWorker } from "../dataplane/messages.ts";
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

/** Changes of the log at run time, for the workers. */
type LogChange = Extract<ToWorker, { kind: "log-filter" | "access-lines" }>;

/** Changes the log in the main isolate and, by `send`, in every worker. */
export class LogOwner implements LogControl {
  readonly start: LogControl["start"];
  readonly #log: Log;
  readonly #send: (change: LogChange) => void;
  #lines: AccessLines;

  constructor(log: Log, start: LogControl["start"], send: (change: LogChange) => void) {
    this.start = start;
    this.#log = log;
    this.#lines = start.lines;
    this.#send = send;
  }

  get current(): LogFilter {
    return this.#log.filter;
  }

  change(filter: LogFilter): void {
    this.#log.scope("ztunnel::telemetry").info(`new log filter is ${filter}`);
    this.#log.filter = filter;
    this.#send({ kind: "log-filter", filter: filter.toString() });
  }

  get lines(): AccessLines {
    return this.#lines;
  }

  changeLines(lines: AccessLines): void {
    this.#log.scope("ztunnel::telemetry").info(`access log: ${describeAccessLines(lines)}`);
    this.#lines = lines;
    this.#send({ kind: "access-lines", lines });
  }
}
