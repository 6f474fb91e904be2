/** Routes whose module is loaded by the first request. */
import type { HttpHandler } from "./http_connection.ts";
import type { Routes } from "./routes.ts";

/** Routes for `paths`. `load` is called once, by the first request, and again where it has failed. */
export function loadedRoutes<Path extends string>(
  paths: readonly Path[],
  load: () => Promise<Readonly<Record<Path, HttpHandler>>>,
): Readonly<Record<Path, HttpHandler>> {
  let loading: Promise<Readonly<Record<Path, HttpHandler>>> | null = null;
  const route = (path: Path): HttpHandler => async (request, body) => {
    loading ??= load();
    loading.catch(() => loading = null);
    return await (await loading)[path](request, body);
  };
  return Object.fromEntries(paths.map((path) => [path, route(path)])) as Routes as Record<Path, HttpHandler>;
}
