/** `/logging`: the log filter of the running process (`docs/spec/config-admin.md` 4.6). */
import type { LogFilter } from "../telemetry/log_filter.ts";
import { requestedFilter } from "../telemetry/log_levels.ts";
import type { HttpHandler } from "./http_connection.ts";
import { plainText } from "./response.ts";

/** The log filter of all isolates. */
export interface FilterControl {
  readonly start: LogFilter;
  readonly current: LogFilter;
  /** Logs the new filter, then uses it everywhere. */
  change(filter: LogFilter): void;
}

const USAGE = `
usage: POST /logging                          (show the current level)
usage: POST /logging?level=<level>            (change the level)
usage: POST /logging?reset                    (go back to the level of the start; with level= as well: then change it)

level: comma-separated list of
  <level>              the level of everything else
  <target>=<level>     the level of what is logged under a target
one of the levels: error, warn, info, debug, trace, off
example of a target: ztunnel::proxy::outbound
`;

/** The handler of the route. */
export function loggingRoute(control: FilterControl): HttpHandler {
  return ({ method, query }) => {
    if (method !== "POST") return plainText(405, `Invalid HTTP method\n ${USAGE}`);
    const parameters = new URLSearchParams(query);
    const level = parameters.getAll("level").at(-1) ?? null;
    const filter = requestedFilter({ level, reset: parameters.has("reset") }, control.current, control.start);
    if (filter === null) return plainText(400, `Invalid level provided: ${level}\n${USAGE}`);
    if (filter.toString() !== control.current.toString()) control.change(filter);
    return plainText(200, `current log level is ${control.current}\n`);
  };
}
