/** Writes an event as a line (`docs/spec/config-admin.md` 6.3, 6.4). */
import { type Fields, jsonFields, plainFields, type Spans } from "./log_fields.ts";
import { type Level, LEVEL_NAMES } from "./log_level.ts";
import { jsonString, visible } from "./rust_text.ts";

/** `LOG_FORMAT` */
export type LogFormatName = "plain" | "json";

/** A format of log lines. */
export interface LogFormat {
  readonly name: LogFormatName;
  /**
   * The line of an event, with its line feed. `time`: a formatted timestamp. `message`: null for none; it may have text
   * from peers, so characters that are not visible are escaped.
   */
  event(time: string, level: Level, target: string, message: string | null, fields: Fields, spans: Spans): string;
  /**
   * The same without spans, for a message without text from peers, which may have several lines, and for rendered
   * fields: `a=1 b=2`, or `,"a":1,"b":2`.
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

/** A compact object per line, with a key for each span. */
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

/** The format of this name. */
export function logFormat(name: LogFormatName): LogFormat {
  return name === "json" ? JSON_LINES : PLAIN;
}
