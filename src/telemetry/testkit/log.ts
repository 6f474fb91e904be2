/** A log for tests: lines are collected, and the time is constant. */
import { Log } from "../log.ts";
import { LogFilter } from "../log_filter.ts";
import { logFormat, type LogFormatName } from "../log_format.ts";
import { LogWriter } from "../log_writer.ts";

/** A log and what was written to it. */
export interface TestLog {
  readonly log: Log;
  /** All lines so far, without line feeds. */
  lines(): string[];
}

/** What differs from the default. */
interface TestLogOptions {
  readonly filter?: string;
  readonly format?: LogFormatName;
  /** Microseconds since 1970. */
  readonly clock?: () => number;
}

/** Makes a log. Throws where the filter is invalid. */
export function testLog({ filter = "info", format = "plain", clock = () => 0 }: TestLogOptions = {}): TestLog {
  const decoder = new TextDecoder();
  let text = "";
  const writer = new LogWriter({
    write(bytes) {
      text += decoder.decode(bytes);
      return bytes.length;
    },
  });
  const parsed = LogFilter.parse(filter);
  if (typeof parsed === "string") throw new Error(parsed);
  const log = new Log({ filter: parsed, format: logFormat(format), writer, clock });
  return {
    log,
    lines() {
      writer.flush();
      return text.split("\n").slice(0, -1);
    },
  };
}
