/** Which handler answers which path. */
import type { HttpHandler } from "./http_connection.ts";
import { empty } from "./response.ts";

/** By exact path. */
export type Routes = Readonly<Record<string, HttpHandler>>;

/** Unknown paths are 404; the method is the handler's business. */
export function routed(routes: Routes): HttpHandler {
  const byPath = new Map(Object.entries(routes));
  return (request) => byPath.get(request.path)?.(request) ?? empty(404);
}
