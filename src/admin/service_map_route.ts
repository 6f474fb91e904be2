/**
 * `/service-map`: who talks to whom on this node (`docs/dashboard.md`). All readers share one document, which is made
 * again after some seconds, or after a longer time where making it costs more.
 */
import type { Clock, Millis, Timer } from "../net/clock.ts";
import type { TrafficPair } from "../telemetry/traffic_pairs.ts";
import type { HttpHandler } from "./http_connection.ts";
import { jsonResponse } from "./json_response.ts";
import { type MapDocument, ServiceMap } from "./service_map.ts";

/** Edges of a document. */
const EDGES_MAX = 250;
/** A document is as old as this at most, or as old as 20 times what it took to make it: 5 % of the time. */
const FRESH: Millis = 4_000;
const COST = 20;
/** After this time without a reader the counts of the last update are released. */
const UNUSED: Millis = 60_000;

/** The handler of the route. `pairs`: what all workers have counted. `now`: ms of a monotonic clock. */
export function serviceMapRoute(
  pairs: () => AsyncIterable<TrafficPair>,
  clock: Pick<Clock, "after">,
  now: () => Millis,
): HttpHandler {
  const map = new ServiceMap(EDGES_MAX);
  let current: Promise<MapDocument> | null = null;
  let staleAt = 0;
  let unused: Timer | null = null;
  const make = async () => {
    const begin = now();
    const all: TrafficPair[] = [];
    for await (const pair of pairs()) all.push(pair);
    const document = map.update(all, begin);
    staleAt = now() + Math.max(FRESH, COST * (now() - begin));
    return document;
  };
  return async () => {
    unused?.cancel();
    unused = clock.after(UNUSED, () => {
      current = null;
      map.clear();
    });
    if (current === null || now() >= staleAt) {
      staleAt = Infinity;
      current = make();
      current.catch(() => current = null);
    }
    return jsonResponse(await current);
  };
}
