/** The log of the main isolate. */
import type { Config } from "../config/config.ts";
import { ConfigError } from "../config/error.ts";
import { Log } from "../telemetry/log.ts";
import type { LogFilter } from "../telemetry/log_filter.ts";
import { logFormat } from "../telemetry/log_format.ts";
import { startFilter } from "../telemetry/log_levels.ts";
import { LogWriter, STANDARD_OUTPUT } from "../telemetry/log_writer.ts";
import { systemClock } from "../telemetry/timestamp.ts";

/** Exit code of the native proxy for a bad `RUST_LOG`. */
const PANIC = 101;

export function makeLog(config: Config): { readonly log: Log; readonly filter: LogFilter } {
  const filter = startFilter(config.log.filter);
  if (typeof filter === "string") throw new ConfigError(`RUST_LOG: ${filter}`, PANIC);
  const writer = new LogWriter(STANDARD_OUTPUT, () => queueMicrotask(() => log.flush()));
  const log: Log = new Log({ filter, format: logFormat(config.log.format), writer, clock: systemClock() });
  return { log, filter };
}
