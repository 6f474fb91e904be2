/**
 * `/quitquitquit`: stops the process as SIGTERM does; `/quitquitquit?force` as two of them do, so that open connections
 * are cut at once (`docs/spec/config-admin.md` 4.2, 7.3).
 */
import type { HttpHandler } from "./http_connection.ts";
import { empty, plainText } from "./response.ts";

/**
 * The handler of the route. `stop` begins the stop, and with `force` does not wait for open connections; the response
 * does not wait for its end.
 */
export function shutdownRoute(stop: (force: boolean) => void): HttpHandler {
  return ({ method, query }) => {
    if (method !== "POST") return empty(405);
    const force = new URLSearchParams(query).get("force");
    stop(force !== null && force !== "false");
    return plainText(200, "shutdown now\n");
  };
}
