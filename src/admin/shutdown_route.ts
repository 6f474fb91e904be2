/** `/quitquitquit`: stops the process as SIGTERM does (`docs/spec/config-admin.md` 4.2, 7.3). */
import type { HttpHandler } from "./http_connection.ts";
import { empty, plainText } from "./response.ts";

/** The handler of the route. `stop` begins the stop; the response does not wait for its end. */
export function shutdownRoute(stop: () => void): HttpHandler {
  return ({ method }) => {
    if (method !== "POST") return empty(405);
    stop();
    return plainText(200, "shutdown now\n");
  };
}
