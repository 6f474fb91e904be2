/** The HTTP servers of the process: readiness, admin, stats (`docs/spec/config-admin.md` 3-5). */
import { HttpServer } from "../admin/http_server.ts";
import { readinessHandler } from "../admin/readiness_server.ts";
import { type CollectMetrics, statsHandler } from "../admin/stats_server.ts";
import type { Config, ServerAddress } from "../config/config.ts";
import { SYSTEM_TURNS } from "../net/clock.ts";
import type { Log } from "../telemetry/log.ts";
import type { Readiness } from "../telemetry/readiness.ts";
import type { AdminParts } from "./admin_handler.ts";

type Component = "readiness" | "admin" | "stats";

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

  /** Port 15000. Its routes are loaded only now, while the workers start. */
  async serveAdmin(parts: AdminParts): Promise<void> {
    const server = this.#bind("admin");
    const { adminHandler } = await import("./admin_handler.ts");
    server.serve(adminHandler(parts, server.addresses));
  }

  /** Port 15020. */
  serveStats(collect: CollectMetrics): void {
    this.#bind("stats").serve(statsHandler(collect, SYSTEM_TURNS));
  }

  /** Resolves when the requests in flight have been answered. Server-sent events end when `streamsEnd` has resolved. */
  async drain(streamsEnd: Promise<void>): Promise<void> {
    await Promise.all([...this.#bound.values()].map((server) => server.drain(streamsEnd)));
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
