/** The HTTP servers of the process: readiness, admin, stats (`docs/spec/config-admin.md` 3-5). */
import { guarded } from "../admin/browser_guard.ts";
import { configDumpRoute, type DumpSources } from "../admin/config_dump_route.ts";
import { dashboardRoute } from "../admin/dashboard_route.ts";
import { type Explain, explainRoute } from "../admin/explain_route.ts";
import { HttpServer } from "../admin/http_server.ts";
import { type FilterControl, loggingRoute } from "../admin/logging_route.ts";
import { pprofRoutes, type Profile } from "../admin/pprof_routes.ts";
import { readinessHandler } from "../admin/readiness_server.ts";
import { routed } from "../admin/routes.ts";
import { shutdownRoute } from "../admin/shutdown_route.ts";
import { type CollectMetrics, statsHandler } from "../admin/stats_server.ts";
import type { Config, ServerAddress } from "../config/config.ts";
import { isLoopback } from "../net/address.ts";
import { SYSTEM_TURNS } from "../net/clock.ts";
import type { Log } from "../telemetry/log.ts";
import type { Readiness } from "../telemetry/readiness.ts";

type Component = "readiness" | "admin" | "stats";

/** The parts that the admin port needs. */
interface AdminParts {
  readonly control: FilterControl;
  readonly dump: DumpSources;
  readonly explain: Explain;
  readonly profile: Profile;
  /** Begins the stop of the process. */
  readonly stop: () => void;
}

/** Binds the servers when they are first needed, and drains them together. */
export class Servers {
  readonly #log: Log;
  readonly #config: Config;
  readonly #bound = new Map<Component, HttpServer>();

  constructor(config: Config, log: Log) {
    this.#config = config;
    this.#log = log;
  }

  /**
   * The configuration with the ports that the kernel chose; binds the servers that are not bound yet. Workers need the
   * ports, because connections to them are not meant for an application (`docs/spec/observed.md` O35).
   */
  get asBound(): Config {
    const { listeners } = this.#config;
    const [readiness, admin, stats] = (["readiness", "admin", "stats"] as const).map((component) =>
      withPort(listeners[component], this.#bind(component).addresses[0].port)
    ) as [ServerAddress, ServerAddress, ServerAddress];
    return { ...this.#config, listeners: { ...listeners, readiness, admin, stats } };
  }

  /** The first thing that is bound, so that probes get an answer during the start. */
  serveReadiness(readiness: Readiness): void {
    this.#bind("readiness").serve(readinessHandler(readiness));
  }

  /** Port 15000. */
  serveAdmin({ control, dump, explain, profile, stop }: AdminParts): void {
    const server = this.#bind("admin");
    const routes = routed({
      "/": dashboardRoute(),
      ...pprofRoutes(profile, Date.now),
      "/config_dump": configDumpRoute(dump, SYSTEM_TURNS),
      "/explain": explainRoute(explain),
      "/logging": loggingRoute(control),
      "/quitquitquit": shutdownRoute(stop),
    });
    server.serve(guarded(routes, server.addresses.every(({ ip }) => isLoopback(ip))));
  }

  /** Port 15020. */
  serveStats(collect: CollectMetrics): void {
    this.#bind("stats").serve(statsHandler(collect, SYSTEM_TURNS));
  }

  /** Resolves when the requests in flight have been answered. */
  async drain(): Promise<void> {
    await Promise.all([...this.#bound.values()].map((server) => server.drain()));
  }

  /** Binds each server once. */
  #bind(component: Component): HttpServer {
    let server = this.#bound.get(component);
    if (server === undefined) {
      const scope = this.#log.scope("ztunnel::hyper_util");
      server = HttpServer.bind(component, this.#config.listeners[component], scope);
      this.#bound.set(component, server);
    }
    return server;
  }
}

function withPort(at: ServerAddress, port: number): ServerAddress {
  return at.kind === "address" ? { ...at, address: { ...at.address, port } } : { ...at, port };
}
