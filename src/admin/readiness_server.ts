/** `/healthz/ready` (`docs/spec/config-admin.md` 5.3). */
import type { Readiness } from "../telemetry/readiness.ts";
import type { HttpHandler } from "./http_connection.ts";
import { empty, plainText } from "./response.ts";
import { routed } from "./routes.ts";

/** The handler of the port. */
export function readinessHandler(readiness: Pick<Readiness, "pending" | "trouble">): HttpHandler {
  return routed({
    "/healthz/ready": ({ method }) => {
      if (method !== "GET") return empty(405);
      const pending = readiness.pending();
      if (pending.length > 0) return plainText(500, `not ready, pending: ${pending.join(", ")}\n`);
      const trouble = readiness.trouble();
      if (trouble === null) return plainText(200, "ready\n");
      return trouble.ready
        ? plainText(200, `ready, but ${oneLine(trouble.text)}\n`)
        : plainText(503, `not ready: ${oneLine(trouble.text)}\n`);
    },
  });
}

/** The reasons contain text from peers and authorities. */
function oneLine(text: string): string {
  return text.slice(0, 1024).replace(/[^\x20-\x7e]/g, "?");
}
