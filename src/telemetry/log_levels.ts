/**
 * Changing the log filter while the process runs: what `/logging` asks for (`docs/spec/config-admin.md` 4.6).
 *
 * The start-up filter silences a target of the native proxy's DNS server. No code of ours logs there; it stays because
 * tools compare the rendered filter.
 */
import { LogFilter } from "./log_filter.ts";
import { LEVEL_NAMES, type LevelName } from "./log_level.ts";

const ALWAYS = "hickory_server::server=off";

/** The filter of `RUST_LOG`, or a text that says why it is none. */
export function startFilter(setting: string): LogFilter | string {
  return LogFilter.parse(`${ALWAYS},${setting}`);
}

export interface LevelRequest {
  /** Clauses to add; null or empty: none. */
  readonly level: string | null;
  /** Go back to the start-up filter first. */
  readonly reset: boolean;
}

/** The filter that `request` asks for, or null where its level is not valid. Nothing is changed by this. */
export function requestedFilter(request: LevelRequest, current: LogFilter, start: LogFilter): LogFilter | null {
  const base = request.reset ? start : current;
  if (request.level === null || request.level === "") return base;
  const clauses = request.level.split(",").map(clause);
  if (!clauses.every((text) => text !== null)) return null;
  const filter = base.with(clauses.join(","));
  return typeof filter === "string" ? null : filter;
}

/**
 * A level word in lower case, or `target=level`. `target:level` is taken too, which the usage text has always
 * promised. Null for anything else.
 */
function clause(text: string): string | null {
  if (LEVEL_NAMES.includes(text as LevelName)) return text;
  if (text.includes("=")) return text;
  const colon = /^(.*[^:]):([a-z]+)$/.exec(text);
  return colon !== null && LEVEL_NAMES.includes(colon[2] as LevelName) ? `${colon[1]}=${colon[2]}` : null;
}
