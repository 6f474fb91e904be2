/** Shared mode: pods come from the node's agent and are served by the workers (`docs/spec/inpod-dns.md` A1). */
import type { Config } from "../config/config.ts";
import type { WorkerHandle } from "../control/worker_handle.ts";
import { checkPrivileges } from "../inpod/startup_checks.ts";
import { ZdsClient } from "../inpod/zds_client.ts";
import { connectPackets } from "../net/packet_socket.ts";
import { Reactor } from "../net/reactor.ts";
import type { Log } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Readiness } from "../telemetry/readiness.ts";
import { PodFleet, type PodWorker } from "./pods_fleet.ts";
import type { Workers } from "./workers.ts";

export interface PodsParts {
  readonly config: Config;
  readonly workers: Workers;
  readonly readiness: Readiness;
  readonly metrics: Metrics;
  readonly log: Log;
}

export class Pods {
  readonly #reactor: Reactor;
  readonly #client: ZdsClient;
  readonly #running: Promise<void>;
  readonly #breach = Promise.withResolvers<never>();

  /** Throws where this process lacks the rights. */
  constructor({ config, workers, readiness, metrics, log }: PodsParts) {
    checkPrivileges(config.sockets.mark);
    this.#breach.promise.catch(() => {});
    const scope = log.scope("ztunnel::inpod");
    this.#reactor = new Reactor({
      onShed() {},
      onError: (error) => scope.error(`a callback failed: ${error instanceof Error ? error.stack : String(error)}`),
    });
    const byHandle = new Map<WorkerHandle, PodWorker>(
      workers.all.map((handle) => [handle, { send: (order) => handle.send({ kind: "pod", order }) }]),
    );
    const fleet = new PodFleet([...byHandle.values()], this.#reactor, { sharedPorts: config.inpod.reusePort });
    workers.onPod = (handle, answer) => fleet.receive(byHandle.get(handle)!, answer);
    this.#client = new ZdsClient({
      scheduler: this.#reactor,
      path: config.inpod.socketPath,
      connect: () => connectPackets(this.#reactor, config.inpod.socketPath),
      host: fleet,
      counters: {
        active: metrics.cell("workload_manager_active_proxy_count"),
        pending: metrics.cell("workload_manager_pending_proxy_count"),
        started: metrics.cell("workload_manager_proxies_started"),
        stopped: metrics.cell("workload_manager_proxies_stopped"),
      },
      log,
      random: Math.random,
      setReady: (ready) => ready ? readiness.complete(TASK) : readiness.register(TASK),
      onBreach: (text) => {
        const error = new Error(`protocol error ${JSON.stringify(text)}`);
        log.scope("ztunnel::app").error(`WorkloadProxyManager run error: ${error.message}`);
        this.#breach.reject(error);
      },
    });
    readiness.register(TASK);
    this.#running = this.#reactor.run("shared");
    this.#client.start();
  }

  /** Rejects when agent and proxy do not speak the same protocol. */
  get breach(): Promise<never> {
    return this.#breach.promise;
  }

  /** Leaves the agent; what is served stays so. */
  async stop(): Promise<void> {
    this.#client.stop();
    this.#reactor.stop();
    await this.#running;
  }
}

const TASK = "workload proxy manager";
