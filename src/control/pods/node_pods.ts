/** Shared mode: pods come from the node's agent and are served by the workers (`docs/spec/inpod-dns.md` A1). */
import type { Config, WorkloadName } from "../../config/config.ts";
import type { WorkerHandle } from "../workers/worker_handle.ts";
import type { AuditState, Difference } from "../../inpod/audit.ts";
import type { PodState } from "../../inpod/pod_registry.ts";
import { anotherListens } from "../../inpod/other_listener.ts";
import { checkPrivileges } from "../../inpod/startup_checks.ts";
import { ZdsClient } from "../../inpod/zds_client.ts";
import { connectPackets } from "../../net/packet_socket.ts";
import { Reactor } from "../../net/reactor.ts";
import type { PodAnswer } from "../../dataplane/pod_messages.ts";
import type { Log, LogScope } from "../../telemetry/log.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import { quote } from "../../telemetry/rust_text.ts";
import type { Readiness } from "../../telemetry/readiness.ts";
import type { LocalPods } from "../certificates/local_pods.ts";
import { PodAudit } from "./pod_audit.ts";
import { dumpPods } from "./pods_dump.ts";
import { PodFleet, type PodWorker } from "./pod_fleet.ts";
import { PodQueries } from "./pod_queries.ts";
import { StandbyHost } from "./standby_host.ts";
import type { Workers } from "../workers/workers.ts";

/** What {@link NodePods} needs. */
export interface NodePodsParts {
  readonly config: Config;
  readonly workers: Workers;
  /** Pods are entered there while they are served, so that certificates can be issued to them. */
  readonly localPods: LocalPods;
  readonly readiness: Readiness;
  /** The certificate authority has not answered so far: pods that another proxy serves are left to that one. */
  readonly standby: boolean;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** The pods of this node: the agent's client, the fleet of served pods, and the audit. */
export class NodePods {
  readonly #reactor: Reactor;
  readonly #client: ZdsClient;
  readonly #fleet: PodFleet;
  readonly #standby: StandbyHost | null;
  readonly #queries: PodQueries;
  readonly #audit: PodAudit;
  readonly #running: Promise<void>;
  readonly #workers: ReadonlyMap<WorkerHandle, PodWorker>;
  readonly #scope: LogScope;
  readonly #breach = Promise.withResolvers<never>();

  /** Throws where this process lacks the rights. */
  constructor({ config, workers, localPods, readiness, standby, metrics, log }: NodePodsParts) {
    checkPrivileges(config.sockets.mark);
    this.#breach.promise.catch(() => {});
    const scope = log.scope("ztunnel::inpod");
    this.#reactor = new Reactor({
      onShed() {},
      onError: (error) => scope.error(`a callback failed: ${error instanceof Error ? error.stack : String(error)}`),
    });
    this.#scope = scope;
    this.#workers = new Map<WorkerHandle, PodWorker>(
      workers.all.map((handle) => [handle, { send: (order) => handle.send({ kind: "pod", order }) }]),
    );
    const ports = [...this.#workers.values()];
    this.#fleet = new PodFleet(ports, this.#reactor, { sharedPorts: config.inpod.reusePort });
    this.#standby = standby
      ? new StandbyHost({
        host: this.#fleet,
        othersServe: ({ namespace }) => anotherListens(namespace.descriptor, config.listeners.inbound.port),
        scheduler: this.#reactor,
        log: scope,
      })
      : null;
    this.#queries = new PodQueries(ports);
    readiness.register(TASK);
    this.#client = new ZdsClient({
      scheduler: this.#reactor,
      path: config.inpod.socketPath,
      connect: () => connectPackets(this.#reactor, config.inpod.socketPath),
      host: localPods.follow(this.#standby ?? this.#fleet),
      counters: {
        active: metrics.cell("workload_manager_active_proxy_count"),
        pending: metrics.cell("workload_manager_pending_proxy_count"),
        started: metrics.cell("workload_manager_proxies_started"),
        stopped: metrics.cell("workload_manager_proxies_stopped"),
      },
      log,
      random: Math.random,
      setReady: (ready) => ready ? readiness.complete(TASK) : readiness.register(TASK),
      onProtocolError: (text) => {
        const error = new Error(`protocol error ${JSON.stringify(text)}`);
        log.scope("ztunnel::app").error(`WorkloadProxyManager run error: ${error.message}`);
        this.#breach.reject(error);
      },
    });
    this.#audit = new PodAudit({
      scheduler: this.#reactor,
      books: () => this.#books(),
      ask: () => this.#queries.reports(),
      log: log.scope("ztunnel::inpod::audit"),
      audits: metrics.cell("workload_manager_audits"),
      differences: metrics.cell("workload_manager_audit_differences"),
    });
    this.#running = this.#reactor.run("shared");
    const { self, trustDomain } = config.node;
    if (self !== null) {
      log.scope("ztunnel::proxyfactory").info(
        `creating ztunnel self-proxy listener with identity: ${selfIdentity(self, trustDomain)}`,
      );
      log.scope("ztunnel::app").info("Starting ztunnel inbound listener task");
      ports[0]!.send({ kind: "serve-self", workload: self });
    }
    this.#client.start();
    this.#audit.start();
  }

  /** Takes what a worker reports about pods. */
  receive(worker: WorkerHandle, answer: PodAnswer): void {
    if ("request" in answer) this.#queries.receive(answer);
    else if (answer.kind === "self-failed") {
      this.#scope.warn(
        `the proxy's own workload is not served, so its metrics cannot be had over HBONE: ${answer.reason}`,
      );
    } else this.#fleet.receive(this.#workers.get(worker)!, answer);
  }

  /** Rejects when agent and proxy do not speak the same protocol. */
  get breach(): Promise<never> {
    return this.#breach.promise;
  }

  /** The certificate authority answers: pods that were left to another proxy are served from now on. */
  authorityAnswered(): void {
    this.#standby?.answered();
  }

  /** The section `workloadState` of `/config_dump`. */
  dump(): AsyncIterable<string> {
    return dumpPods({
      ...this.#books(),
      differences: this.#audit.differences,
      connections: (instance, direction) => this.#queries.connections(instance, direction),
    });
  }

  /** The pods that the agent has enrolled, and the differences that the last audit found. */
  get overview(): { readonly pods: readonly PodState[]; readonly differences: readonly Difference[] } {
    return { pods: this.#client.pods, differences: this.#audit.differences };
  }

  /** Ends the connection to the agent. Pods are still served. */
  async stop(): Promise<void> {
    this.#audit.stop();
    this.#standby?.close();
    this.#client.stop();
    this.#reactor.stop();
    await this.#running;
  }

  #books(): AuditState {
    const { instances, lastInstance } = this.#fleet;
    const waiting = this.#standby?.instances ?? [];
    return { pods: this.#client.pods, instances: [...instances, ...waiting], lastInstance };
  }
}

const TASK = "workload proxy manager";

/** An identity in the form that the native proxy logs. */
function selfIdentity({ namespace, serviceAccount }: WorkloadName, trustDomain: string): string {
  const text = [["trust_domain", trustDomain], ["namespace", namespace], ["service_account", serviceAccount]];
  return `Spiffe { ${text.map(([name, value]) => `${name}: ${quote(value!)}`).join(", ")} }`;
}
