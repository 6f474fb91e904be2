/**
 * Bounds what a peer can make us write: of each cause ten lines a minute, then one that says how many were left out.
 * The cause is how the text begins, without digits and quoted parts, which a peer could vary.
 */
import type { WriteLine } from "../identity/manager_events.ts";
import type { WallClock } from "../identity/certificate_manager.ts";

export interface LimitedLines {
  readonly write: WriteLine;
  /** Says what was left out so far. */
  close(): void;
}

interface Cause {
  written: number;
  leftOut: number;
  /** The last of those that were left out. */
  last: string;
  level: Parameters<WriteLine>[0];
}

const MINUTE = 60_000;
const MOST_LINES = 10;
/** Causes in one minute. Further ones count as one: their texts are not ours. */
const MOST_CAUSES = 64;
const LONGEST_CAUSE = 48;

/** Lines of level debug pass: who asks for them wants all. */
export function limitLines(write: WriteLine, clock: WallClock): LimitedLines {
  /** Emptied every minute. */
  const causes = new Map<string, Cause>();
  let timer: { cancel(): void } | null = null;
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
