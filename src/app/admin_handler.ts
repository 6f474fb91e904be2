/** What the admin port answers. */
import { guarded } from "../admin/browser_guard.ts";
import { configDumpRoute, type DumpSources } from "../admin/config_dump_route.ts";
import { connectionsRoute, type ListConnections } from "../admin/connections_route.ts";
import { DASHBOARD_PATHS } from "../admin/dashboard_paths.ts";
import type { DashboardSources } from "../admin/dashboard_routes.ts";
import { type Decisions, decisionsRoute } from "../admin/decisions_route.ts";
import { dryRunRoute } from "../admin/dry_run_route.ts";
import { type Explain, explainRoute } from "../admin/explain_route.ts";
import type { HttpHandler } from "../admin/http_connection.ts";
import { loadedRoutes } from "../admin/loaded_routes.ts";
import { type LogControl, loggingRoute } from "../admin/logging_route.ts";
import { type FlowSource, observeRoute } from "../admin/observe_route.ts";
import { pprofRoutes, type TakeProfile } from "../admin/pprof_routes.ts";
import { listRoute, rootRoute } from "../admin/root_route.ts";
import { routed } from "../admin/routes.ts";
import type { Simulate } from "../admin/simulate_route.ts";
import { shutdownRoute } from "../admin/shutdown_route.ts";
import { isLoopback, type SocketAddress } from "../net/address.ts";
import type { DryRunCount } from "../proxy/dry_run_counts.ts";
import { SYSTEM_CLOCK, SYSTEM_TURNS } from "../net/clock.ts";

/** What the admin port asks of others. */
export interface AdminParts {
  readonly control: LogControl;
  readonly dump: DumpSources;
  readonly explain: Explain;
  readonly simulate: Simulate;
  readonly profile: TakeProfile;
  readonly connections: ListConnections;
  /** How long a drain waits for connections, ms. */
  readonly drainDeadline: number;
  readonly flows: FlowSource;
  readonly dryRuns: () => Promise<readonly DryRunCount[]>;
  readonly dashboard: DashboardSources;
  readonly decisions: Decisions;
  /** Begins the stop of the process. `force`: open connections are cut at once. */
  readonly stop: (force: boolean) => void;
}

/** `addresses`: where the port listens; browsers are kept away from loopback. */
export function adminHandler(
  { control, dump, explain, simulate, profile, connections, flows, dryRuns, decisions, drainDeadline, dashboard, stop }:
    AdminParts,
  addresses: readonly SocketAddress[],
): HttpHandler {
  const page = loadedRoutes(DASHBOARD_PATHS, async () => {
    const { dashboardRoutes } = await import("../admin/dashboard_routes.ts");
    return dashboardRoutes(dashboard);
  });
  const simulation = loadedRoutes(["/simulate"], async () => {
    const { simulateRoute } = await import("../admin/simulate_route.ts");
    return { "/simulate": simulateRoute(simulate, SYSTEM_TURNS) };
  });
  const routes = routed({
    "/": rootRoute(page["/dashboard.html"]),
    "/routes": listRoute(),
    ...page,
    ...pprofRoutes(profile, Date.now),
    "/config_dump": configDumpRoute(dump, SYSTEM_TURNS),
    "/connections": connectionsRoute(connections, drainDeadline),
    "/observe": observeRoute(flows, SYSTEM_CLOCK),
    "/dry-run": dryRunRoute(dryRuns, flows),
    "/decisions": decisionsRoute(decisions),
    "/explain": explainRoute(explain, decisions),
    ...simulation,
    "/logging": loggingRoute(control),
    "/quitquitquit": shutdownRoute(stop),
  });
  return guarded(routes, addresses.every(({ ip }) => isLoopback(ip)));
}
