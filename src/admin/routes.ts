/** Chooses the handler of a request by its path. */
import type { HttpHandler } from "./http_connection.ts";
import { empty } from "./response.ts";

/** Handlers by exact path. */
export type Routes = Readonly<Record<string, HttpHandler>>;

/** A handler for all routes. Other paths get status 404. Handlers check the method themselves. */
export function routed(routes: Routes): HttpHandler {
  const byPath = new Map(Object.entries(routes));
  return (request, body) => byPath.get(request.path)?.(request, body) ?? empty(404);
}
