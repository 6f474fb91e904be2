/** The routes of the dashboard (`docs/dashboard.md`), in a module of their own, which the first request loads. */
import type { Clock, Millis } from "../net/clock.ts";
import type { TrafficPair } from "../telemetry/traffic_pairs.ts";
import type { CertificateStatus } from "../identity/certificate_manager.ts";
import { certificatesRoute } from "./certificates_route.ts";
import type { DASHBOARD_PATHS } from "./dashboard_paths.ts";
import { pageHandler } from "./dashboard_page.ts";
import type { HttpHandler } from "./http_connection.ts";
import { jsonResponse } from "./json_response.ts";
import { type PodsOverview, podsRoute } from "./pods_route.ts";
import { type ListPolicies, policiesRoute } from "./policies_route.ts";
import { type SampleSource, samplesRoute } from "./samples_route.ts";
import { serviceMapRoute } from "./service_map_route.ts";

/** What the dashboard shows beside flows and explanations. */
export interface DashboardSources {
  readonly samples: SampleSource;
  /** What the node is and how it is, as plain data. */
  readonly node: () => Promise<object>;
  readonly pairs: () => AsyncIterable<TrafficPair>;
  readonly pods: () => PodsOverview;
  readonly policies: ListPolicies;
  readonly certificates: () => readonly CertificateStatus[];
  readonly clock: Pick<Clock, "after">;
  /** Monotonic, ms. */
  readonly now: () => Millis;
}

/** The handlers by path. */
export function dashboardRoutes(
  sources: DashboardSources,
): Readonly<Record<typeof DASHBOARD_PATHS[number], HttpHandler>> {
  const { samples, node, pairs, pods, policies, certificates, clock, now } = sources;
  return {
    "/dashboard.html": pageHandler("/dashboard.html"),
    "/dashboard.css": pageHandler("/dashboard.css"),
    "/dashboard.js": pageHandler("/dashboard.js"),
    "/samples": samplesRoute(samples, clock),
    "/node": async () => jsonResponse(await node()),
    "/service-map": serviceMapRoute(pairs, clock, now),
    "/pods": podsRoute(pods),
    "/policies": policiesRoute(policies),
    "/certificates": certificatesRoute(certificates),
  };
}
