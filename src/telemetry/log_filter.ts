/**
 * Decides which events are logged, by `RUST_LOG` and `/logging` (`docs/spec/config-admin.md` 6.2).
 *
 *     filter := clause (',' clause)*
 *     clause := LEVEL | target | target '=' LEVEL? | target '[{' field '}]=' LEVEL?
 *
 * Among the clauses whose target is a prefix of the event's target, the one with the longest target decides. A clause
 * with a field applies only to events that have the field. A filter never changes; a change makes a new one.
 */
import { LEVEL, LEVEL_NAMES, type LevelLimit, parseLevelLimit } from "./log_level.ts";

interface Clause {
  /** Null: every target. */
  readonly target: string | null;
  readonly field: string | null;
  readonly level: LevelLimit;
}

/** Most clauses of a filter. Operators write filters by hand. */
const CLAUSES_MAX = 1000;

/** A parsed filter. */
export class LogFilter {
  readonly #clauses: readonly Clause[];

  /** The highest level that passes for any target, as a quick first check. */
  readonly highest: LevelLimit;
  readonly hasFields: boolean;

  private constructor(clauses: readonly Clause[]) {
    this.#clauses = clauses;
    this.highest = Math.max(0, ...clauses.map((clause) => clause.level)) as LevelLimit;
    this.hasFields = clauses.some((clause) => clause.field !== null);
  }

  /** Parses a filter. A text is returned where it is invalid, with the reason. */
  static parse(text: string): LogFilter | string {
    const parts = text.split(",");
    if (parts.length > CLAUSES_MAX) return `invalid filter: more than ${CLAUSES_MAX} clauses`;
    const byKey = new Map<string, Clause>();
    for (const part of parts) {
      const clause = parseClause(part);
      if (typeof clause === "string") return clause;
      byKey.set(JSON.stringify([clause.target, clause.field]), clause);
    }
    return new LogFilter([...byKey.values()].sort(byPrecedence));
  }

  /** This filter with the clauses of `text` added. A clause for the same target and field is replaced. */
  with(text: string): LogFilter | string {
    return LogFilter.parse(`${this},${text}`);
  }

  /**
   * The highest level that passes for a target. `fields`: names of the event's fields; without them, the level that
   * passes for an event with any fields.
   */
  limit(target: string, fields?: readonly string[]): LevelLimit {
    let limit: LevelLimit = LEVEL.off;
    for (const clause of this.#clauses) {
      if (clause.target !== null && !target.startsWith(clause.target)) continue;
      if (clause.field === null) return Math.max(limit, clause.level) as LevelLimit;
      if (fields === undefined) limit = Math.max(limit, clause.level) as LevelLimit;
      else if (fields.includes(clause.field)) return clause.level;
    }
    return limit;
  }

  toString(): string {
    return this.#clauses.map(renderClause).join(",");
  }
}

function parseClause(text: string): Clause | string {
  const [name = "", level, extra] = text.split("=", 3);
  if (extra !== undefined) return "invalid filter directive: too many '=' in filter directive, expected 0 or 1";
  if (level === undefined) {
    const bare = parseLevelLimit(name);
    return bare === null
      ? { target: name, field: null, level: LEVEL.trace }
      : { target: null, field: null, level: bare };
  }
  const limit = parseLevelLimit(level);
  if (limit === null) return "invalid filter directive: unknown level";
  const [target = "", field, more] = name.split("[{", 3);
  if (field === undefined) return { target, field: null, level: limit };
  if (more !== undefined) return "invalid filter directive: too many '[{' in filter directive, expected 0 or 1";
  if (!field.endsWith("}]")) return "invalid filter directive: expected fields list to end with '}]'";
  return { target, field: field.slice(0, -2) || null, level: limit };
}

/** Longer targets first, then those with a field, then reverse alphabetical; clauses without a target last. */
function byPrecedence(a: Clause, b: Clause): number {
  const length = (clause: Clause) => clause.target === null ? -1 : clause.target.length;
  const fields = (clause: Clause) => clause.field === null ? 0 : 1;
  return length(b) - length(a) || fields(b) - fields(a) || reverse(a.target ?? "", b.target ?? "") ||
    reverse(a.field ?? "", b.field ?? "");
}

function reverse(a: string, b: string): number {
  return a < b ? 1 : a > b ? -1 : 0;
}

function renderClause({ target, field, level }: Clause): string {
  const name = (target ?? "") + (field === null ? "" : `[{${field}}]`);
  return target === null ? LEVEL_NAMES[level] : `${name}=${LEVEL_NAMES[level]}`;
}
