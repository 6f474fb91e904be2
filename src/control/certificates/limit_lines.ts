/**
 * Bounds the log lines that a peer can cause: ten lines a minute for each cause, then one line with the number of those
 * left out. The cause is the beginning of the text without digits and quoted parts, which a peer could vary.
 */
import type { WriteLine } from "../../identity/manager_events.ts";
import type { Clock, Timer } from "../../net/clock.ts";

/** A log whose lines are limited. */
export interface LimitedLines {
  readonly write: WriteLine;
  /** Logs how many lines were left out so far. */
  close(): void;
}

interface Cause {
  written: number;
  leftOut: number;
  /** The last line that was left out. */
  last: string;
  level: Parameters<WriteLine>[0];
}

const MINUTE = 60_000;
const MOST_LINES = 10;
/** Causes that are counted separately within a minute. Further ones share one count: peers can invent texts. */
const MOST_CAUSES = 64;
const LONGEST_CAUSE = 48;

/** Lines of level debug are not limited: an operator who turns them on wants all of them. */
export function limitLines(write: WriteLine, clock: Clock): LimitedLines {
  /** By name. Cleared every minute. */
  const causes = new Map<string, Cause>();
  let timer: Timer | null = null;
  const report = () => {
    timer = null;
    for (const { leftOut, last, level } of causes.values()) {
      if (leftOut > 0) write(level, `${leftOut} more lines like this were left out within a minute: ${last}`, {});
    }
    causes.clear();
  };
  return {
    write(level, message, fields) {
      if (level === "debug") return write(level, message, fields);
      const cause = causeIn(causes, message, level);
      timer ??= clock.after(MINUTE, report);
      if (cause.written < MOST_LINES) {
        cause.written++;
        return write(level, message, fields);
      }
      cause.leftOut++;
      cause.last = message;
      cause.level = level;
    },
    close() {
      timer?.cancel();
      report();
    },
  };
}

function causeIn(causes: Map<string, Cause>, message: string, level: Cause["level"]): Cause {
  const name = message.replace(/"[^"]*"|\d+/g, "").slice(0, LONGEST_CAUSE);
  const key = causes.has(name) || causes.size < MOST_CAUSES ? name : "";
  let cause = causes.get(key);
  if (cause === undefined) causes.set(key, cause = { written: 0, leftOut: 0, last: "", level });
  return cause;
}
