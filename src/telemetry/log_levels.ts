/**
 * Changes of the log filter by `/logging` (`docs/spec/config-admin.md` 4.6).
 *
 * The start-up filter disables a target of the native proxy's DNS server. Our code does not log there; the clause stays
 * because tools compare the text of the filter.
 */
import { LogFilter } from "./log_filter.ts";
import { LEVEL_NAMES, type LevelName } from "./log_level.ts";

const ALWAYS = "hickory_server::server=off";

/** The filter of `RUST_LOG`, or a text with the reason why it is invalid. */
export function startFilter(setting: string): LogFilter | string {
  return LogFilter.parse(`${ALWAYS},${setting}`);
}

/** A request to `/logging`. */
interface LevelRequest {
  /** Clauses to add; null or empty: none. */
  readonly level: string | null;
  /** Whether to start from the start-up filter and not from the current one. */
  readonly reset: boolean;
}

/** The filter that results from `request`, or null where its level is invalid. */
export function requestedFilter(request: LevelRequest, current: LogFilter, start: LogFilter): LogFilter | null {
  const base = request.reset ? start : current;
  if (request.level === null || request.level === "") return base;
  const clauses = request.level.split(",").map(clause);
  if (!clauses.every((text) => text !== null)) return null;
  const filter = base.with(clauses.join(","));
  return typeof filter === "string" ? null : filter;
}

/**
 * A clause of a request: a level name in lower case, or `target=level`. `target:level` is accepted too, as the usage
 * text of the native proxy promises it. Null: invalid.
 */
function clause(text: string): string | null {
  if (LEVEL_NAMES.includes(text as LevelName)) return text;
  if (text.includes("=")) return text;
  const colon = /^(.*[^:]):([a-z]+)$/.exec(text);
  return colon !== null && LEVEL_NAMES.includes(colon[2] as LevelName) ? `${colon[1]}=${colon[2]}` : null;
}
