/** `/logging`: the log filter and the access lines of the running process (`docs/spec/config-admin.md` 4.6). */
import {
  type AccessLines,
  ALL_LINES,
  describeAccessLines,
  parseAccessFields,
  parseAccessMode,
  parseSample,
} from "../config/access_lines.ts";
import type { LogFilter } from "../telemetry/log_filter.ts";
import { requestedFilter } from "../telemetry/log_levels.ts";
import type { HttpHandler } from "./http_connection.ts";
import { plainText } from "./response.ts";

/** The log filter and the choice of access lines of all isolates. */
export interface LogControl {
  readonly start: { readonly filter: LogFilter; readonly lines: AccessLines };
  readonly current: LogFilter;
  readonly lines: AccessLines;
  /** Logs the new filter, then uses it everywhere. */
  change(filter: LogFilter): void;
  /** Logs the new choice, then uses it everywhere. */
  changeLines(lines: AccessLines): void;
}

const USAGE = `
usage: POST /logging                          (show the current level)
usage: POST /logging?level=<level>            (change the level)
usage: POST /logging?access=<connections>     (change which connections are logged)
usage: POST /logging?sample=<part>            (change how many of the successful connections are logged)
usage: POST /logging?fields=<fields>          (change the fields of these lines)
usage: POST /logging?reset                    (go back to the settings of the start; with others as well: then change them)

level: comma-separated list of
  <level>              the level of everything else
  <target>=<level>     the level of what is logged under a target
connections: all, failures, off
fields: default, extended
part: a number from 0 to 1, or a percentage such as 10%
one of the levels: error, warn, info, debug, trace, off
example of a target: ztunnel::proxy::outbound
`;

/** The handler of the route. */
export function loggingRoute(control: LogControl): HttpHandler {
  return ({ method, query }) => {
    if (method !== "POST") return plainText(405, `Invalid HTTP method\n ${USAGE}`);
    const parameters = new URLSearchParams(query);
    const level = parameters.getAll("level").at(-1) ?? null;
    const reset = parameters.has("reset");
    const filter = requestedFilter({ level, reset }, control.current, control.start.filter);
    if (filter === null) return plainText(400, `Invalid level provided: ${level}\n${USAGE}`);
    const lines = requestedLines(parameters, reset ? control.start.lines : control.lines);
    if (typeof lines === "string") return plainText(400, `${lines}\n${USAGE}`);
    if (filter.toString() !== control.current.toString()) control.change(filter);
    if (!isSame(lines, control.lines)) control.changeLines(lines);
    return plainText(200, `current log level is ${control.current}\n${accessText(lines, parameters)}`);
  };
}

/** The lines that result from a request, or why it is invalid. An empty value changes nothing. */
function requestedLines(parameters: URLSearchParams, { mode, sample, fields }: AccessLines): AccessLines | string {
  const access = parameters.getAll("access").at(-1) || mode, part = parameters.getAll("sample").at(-1) || `${sample}`;
  const set = parameters.getAll("fields").at(-1) || fields;
  const parsedMode = parseAccessMode(access), parsedSample = parseSample(part), parsedFields = parseAccessFields(set);
  if (!parsedMode.ok) return `Invalid access provided: ${access}, it ${parsedMode.reason}`;
  if (!parsedSample.ok) return `Invalid sample provided: ${part}, it ${parsedSample.reason}`;
  if (!parsedFields.ok) return `Invalid fields provided: ${set}, it ${parsedFields.reason}`;
  return { mode: parsedMode.value, sample: parsedSample.value, fields: parsedFields.value };
}

function isSame(a: AccessLines, b: AccessLines): boolean {
  return a.mode === b.mode && a.sample === b.sample && a.fields === b.fields;
}

/** Empty where nothing was changed or asked for: the native proxy's answer is one line. */
function accessText(lines: AccessLines, parameters: URLSearchParams): string {
  const asked = ["access", "sample", "fields"].some((name) => parameters.has(name));
  if (!asked && isSame(lines, ALL_LINES)) return "";
  return `access log: ${describeAccessLines(lines)}\n`;
}
