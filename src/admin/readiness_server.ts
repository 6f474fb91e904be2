/** `/healthz/ready` (`docs/spec/config-admin.md` 5.3). */
import type { Readiness } from "../telemetry/readiness.ts";
import type { HttpHandler } from "./http_connection.ts";
import { empty, plainText } from "./response.ts";
import { routed } from "./routes.ts";

export function readinessHandler(readiness: Pick<Readiness, "pending">): HttpHandler {
  return routed({
    "/healthz/ready": ({ method }) => {
      if (method !== "GET") return empty(405);
      const pending = readiness.pending();
      return pending.length === 0
        ? plainText(200, "ready\n")
        : plainText(500, `not ready, pending: ${pending.join(", ")}\n`);
    },
  });
}
