/** One event, one line (`docs/spec/config-admin.md` 6.3, 6.4). */
import { type Fields, jsonFields, plainFields, type Spans } from "./log_fields.ts";
import { type Level, LEVEL_NAMES } from "./log_level.ts";
import { jsonString, visible } from "./rust_text.ts";

export type LogFormatName = "plain" | "json";

/** Fields are given rendered where {@link LogFormat.line} is used. */
export interface LogFormat {
  readonly name: LogFormatName;
  /**
   * `time` is a timestamp text, `message` null for events without one: it may hold the words of strangers, of which
   * nothing invisible is left. The line feed is part of the result.
   */
  event(time: string, level: Level, target: string, message: string | null, fields: Fields, spans: Spans): string;
  /**
   * The same without spans, with a message that is ours alone and may have several lines, and with fields that are
   * rendered already: `a=1 b=2`, or `,"a":1,"b":2`.
   */
  line(time: string, level: Level, target: string, message: string, fields: string): string;
}

const PREFIX = "ztunnel::";

/** `TIME \t LEVEL \t SCOPE [\t MESSAGE \t] FIELDS` */
const PLAIN: LogFormat = {
  name: "plain",
  event(time, level, target, message, fields, spans) {
    const rendered = plainFields(fields);
    let line = `${time}\t${LEVEL_NAMES[level]}\t${scopeOf(target)}`;
    for (const span of spans) line += plainSpan(span.name, span.fields);
    if (message !== null) return `${line}\t${visible(message)}\t${rendered}\n`;
    return rendered === "" ? `${line}\n` : `${line}\t${rendered}\n`;
  },
  line(time, level, target, message, fields) {
    return `${time}\t${LEVEL_NAMES[level]}\t${scopeOf(target)}\t${message}\t${fields}\n`;
  },
};

function scopeOf(target: string): string {
  return target.startsWith(PREFIX) ? target.slice(PREFIX.length) : target;
}

function plainSpan(name: string, fields: Fields | undefined): string {
  const rendered = fields === undefined ? "" : plainFields(fields);
  return rendered === "" ? `:${name}` : `:${name}{${rendered}}`;
}

/** One compact object; each span is a key of its own. */
const JSON_LINES: LogFormat = {
  name: "json",
  event(time, level, target, message, fields, spans) {
    let line = jsonHead(time, level, target, message) + jsonFields(fields);
    for (const span of spans) line += `,${JSON.stringify(span.name)}:{${jsonFields(span.fields ?? {}).slice(1)}}`;
    return `${line}}\n`;
  },
  line(time, level, target, message, fields) {
    return `${jsonHead(time, level, target, message)}${fields}}\n`;
  },
};

function jsonHead(time: string, level: Level, target: string, message: string | null): string {
  const head = `{"level":"${LEVEL_NAMES[level]}","time":"${time}","scope":"${target}"`;
  return message === null ? head : `${head},"message":${jsonString(message)}`;
}

export function logFormat(name: LogFormatName): LogFormat {
  return name === "json" ? JSON_LINES : PLAIN;
}
