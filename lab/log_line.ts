/** Parses log lines of a proxy in the plain format: `TIME \t LEVEL \t SCOPE \t MESSAGE \t FIELDS`. */

/** A parsed line. */
export interface LogLine {
  readonly level: string;
  readonly scope: string;
  readonly message: string;
  /** As written: `src.addr=127.0.0.1:40568`, `direction="inbound"`. */
  readonly words: readonly string[];
  /** Values without their quotes. */
  readonly fields: ReadonlyMap<string, string>;
}

const WORD = /([\w.]+)=("(?:[^"\\]|\\.)*"|\S*)/g;

/** Returns the line; null for other text. */
export function parseLogLine(text: string): LogLine | null {
  const [time, level, scope, message, ...rest] = text.split("\t");
  if (time === undefined || level === undefined || scope === undefined || message === undefined) return null;
  if (!/^\d{4}-\d\d-\d\dT/.test(time)) return null;
  const found = [...rest.join("\t").matchAll(WORD)];
  return {
    level,
    scope,
    message,
    words: found.map(([word]) => word),
    fields: new Map(found.map(([, name = "", value = ""]) => [name, unquoted(value)])),
  };
}

function unquoted(value: string): string {
  return value.startsWith('"') ? value.slice(1, -1).replace(/\\(["\\])/g, "$1") : value;
}

/** Returns the ms of `duration="12ms"`; NaN where there is none. */
export function durationOf(line: LogLine): number {
  return Number(/^(\d+)ms$/.exec(line.fields.get("duration") ?? "")?.[1] ?? NaN);
}

/** Returns a numeric field; NaN where there is none. */
export function numberOf(line: LogLine, field: string): number {
  return Number(line.fields.get(field) ?? NaN);
}
