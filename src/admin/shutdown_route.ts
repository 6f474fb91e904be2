/** `/quitquitquit`: the same stop as a SIGTERM (`docs/spec/config-admin.md` 4.2, 7.3). */
import type { HttpHandler } from "./http_connection.ts";
import { empty, plainText } from "./response.ts";

/** `stop` only begins the stop; the answer does not wait for it. */
export function shutdownRoute(stop: () => void): HttpHandler {
  return ({ method }) => {
    if (method !== "POST") return empty(405);
    stop();
    return plainText(200, "shutdown now\n");
  };
}
