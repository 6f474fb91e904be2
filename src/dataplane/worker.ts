/**
 * A data-plane worker: an isolate whose thread runs the event loop. Messages from main are handled when the loop
 * yields, which main causes by a write to the eventfd.
 */
import type { Config } from "../config/config.ts";
import type { ToMain, ToWorker } from "./messages.ts";
import { checkMark } from "../inpod/startup_checks.ts";
import { inspectNamespace } from "../net/namespace_state.ts";
import { monotonic } from "../os/monotonic.ts";
import { Reactor } from "../net/reactor.ts";
import { formatAddress, type SocketAddress } from "../net/address.ts";
import type { TlsEngine } from "../net/tls_engine.ts";
import { Profiler } from "../telemetry/profiler.ts";
import { LineLimit } from "../telemetry/line_limit.ts";
import { Log } from "../telemetry/log.ts";
import { LogFilter } from "../telemetry/log_filter.ts";
import { logFormat } from "../telemetry/log_format.ts";
import { logDropped, type LogOutput, writerTo } from "../telemetry/log_output.ts";
import type { LogWriter } from "../telemetry/log_writer.ts";
import { Metrics } from "../telemetry/metrics.ts";
import { collectIsolateMetrics, collectLoopMetrics } from "../telemetry/isolate_metrics.ts";
import { MetricsReading } from "../telemetry/metrics_reading.ts";
import { type SeriesOverflow, seriesOverflowText, TrafficMetrics } from "../telemetry/traffic_metrics.ts";
import { systemClock } from "../telemetry/timestamp.ts";
import { readFigures } from "../telemetry/worker_figures.ts";
import { DataPlane } from "./data_plane.ts";
import { listDecisions } from "./decision_list.ts";
import { DumpSessions } from "./dump_sessions.ts";
import { explainFor } from "./explainer.ts";
import { FlowSessions } from "./flow_sessions.ts";
import { MeshUpdates } from "./mesh_updates.ts";
import { policyRows } from "./policy_rows.ts";
import { WorkerPods } from "./worker_pods.ts";
import type { ProfileOrder } from "./profile_messages.ts";
import { SimulateSessions, simulationSources } from "./simulate_sessions.ts";
import { randomBytes } from "./random_bytes.ts";
import { startTls } from "./tls_start.ts";

type Start = Extract<ToWorker, { kind: "start" }>;

/** ms that writing the rest of the log may take at the end. */
const LOG_DRAIN_TIMEOUT = 1000;
/** ms between two checks for free buffers after a burst of traffic. */
const TRIM_PERIOD = 2000;

/** The part of a worker's global scope that is used. */
export interface WorkerScope {
  postMessage(message: ToMain, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  close(): void;
}

/** Runs until main drains it. `bundledLibrary`: the TLS library shipped with the executable. */
export function runWorker(scope: WorkerScope, bundledLibrary: string | undefined): void {
  let worker: DataPlaneWorker | null = null;
  scope.onmessage = ({ data }) => {
    if (data.kind !== "start") return worker?.receive(data);
    try {
      worker = new DataPlaneWorker(scope, data, bundledLibrary);
    } catch (error) {
      scope.postMessage({ kind: "failed", message: messageOf(error) });
    }
  };
}

class DataPlaneWorker {
  readonly #scope: WorkerScope;
  /** The name of this worker in metrics. */
  readonly #thread: string;
  readonly #config: Config;
  readonly #reactor: Reactor;
  readonly #engine: TlsEngine;
  readonly #writer: LogWriter;
  readonly #log: Log;
  readonly #metrics: Metrics;
  /** The reading in progress, by request. Main begins one at a time and reads each to its end. */
  readonly #readings = new Map<number, MetricsReading>();
  readonly #plane: DataPlane;
  readonly #updates: MeshUpdates;
  readonly #dumps: DumpSessions;
  readonly #flows: FlowSessions;
  readonly #simulations: SimulateSessions;
  readonly #profiler = new Profiler();
  /** Limits lines about defects: a peer may be able to trigger one as often as it likes. */
  readonly #failures: LineLimit;
  readonly #pods: WorkerPods;

  constructor(scope: WorkerScope, start: Start, bundledLibrary: string | undefined) {
    const { config } = start;
    this.#scope = scope;
    this.#thread = start.thread;
    this.#config = config;
    const tls = startTls(config.tls, bundledLibrary);
    this.#engine = tls.engine;
    this.#reactor = new Reactor({
      onShed: (count, address, code) => this.#logShed(count, formatAddress(address), code),
      onLostRedirection: (client, destination, error) => this.#logLostRedirection(client, destination, error),
      onSourceRefused: (_source, code) => this.#logSourceRefused(code),
      onSourcePortsInUse: (source, to) => this.#logSourcePortsInUse(source.ip, formatAddress(to)),
      onError: (error) => {
        const scope = this.#log.scope("ztunnel::dataplane");
        this.#failures.error("callback", scope, `a callback failed: ${stackOf(error)}`);
      },
    });
    this.#failures = new LineLimit(this.#reactor);
    this.#writer = makeWriter(start.output, this.#reactor, (count) => logDropped(this.#log, count));
    this.#log = makeLog(config, start.filter, this.#writer);
    this.#metrics = new Metrics(new TrafficMetrics((overflow) => this.#logOverflow(overflow), config.metrics));
    this.#plane = new DataPlane({
      config,
      network: this.#reactor,
      log: this.#log,
      metrics: this.#metrics,
      makeContext: (settings) => this.#engine.context(settings),
      requestCertificate: (subject) => scope.postMessage({ kind: "certificate-request", subject }),
      requestLookup: (name) => scope.postMessage({ kind: "lookup", name }),
      sharedListeners: config.workerThreads > 1,
      wallClock: Date.now,
      random: Math.random,
      hashSeed: start.hashSeed,
      onSurplus: (trim) => trimLater(this.#reactor, trim),
      fillRandom: randomBytes((bytes) => void crypto.getRandomValues(bytes)),
    });
    this.#updates = new MeshUpdates({
      scheduler: this.#reactor,
      apply: (changes) => this.#plane.applyMesh(changes),
      onApplied: (sequence) => scope.postMessage({ kind: "resources-applied", sequence }),
      onError: (text) => this.#log.scope("ztunnel::xds").error(text),
      now: () => performance.now(),
      arrivals: () => this.#reactor.arrivals,
    });
    this.#pods = new WorkerPods({
      plane: this.#plane,
      answer: (answer) => scope.postMessage({ kind: "pod", answer }),
      inspectNamespace,
    });
    this.#dumps = new DumpSessions(
      this.#plane.state,
      (answer) => scope.postMessage({ kind: "dump", answer }),
      () => performance.now(),
    );
    this.#flows = new FlowSessions(
      {
        log: this.#plane.flows,
        open: (after) => this.#plane.openFlows(after),
        dryRuns: this.#plane.dryRuns,
        series: () => this.#metrics.traffic.snapshot(),
        policies: (search, most) => {
          const { decisions: counts, state } = this.#plane;
          const retired = state.retiredPolicies.values();
          return policyRows({ counts, policies: state.policies(), retired }, search, most);
        },
        decisions: (id) => listDecisions(this.#plane, id, () => this.#reactor.now(), Date.now),
      },
      this.#reactor,
      (answer, transfer) => scope.postMessage({ kind: "flows", answer }, transfer),
      () => performance.now(),
    );
    this.#simulations = new SimulateSessions(
      simulationSources(this.#plane, config),
      (answer) => scope.postMessage({ kind: "simulated", answer }),
      () => performance.now(),
    );
    scope.postMessage({ kind: "ready", wake: this.#reactor.wakeDescriptor, library: tls.library });
    void this.#reactor.run("own-thread");
  }

  receive(message: ToWorker): void {
    this.#reactor.messageReceived();
    switch (message.kind) {
      case "start":
        throw new Error("a worker starts once");
      case "mesh":
        return this.#plane.applyMesh(message.changes);
      case "mesh-freshness":
        return this.#plane.state.setFreshness(message.freshness);
      case "lookup-result":
        return this.#plane.lookups?.settle(message.name, message.result);
      case "resources":
        return this.#updates.receive(message.part);
      case "certificate":
        return this.#plane.setCertificate(message.issued, message.workloadUid);
      case "certificate-failed":
        return this.#plane.certificateFailed(
          message.subject.id,
          message.message,
          message.subject.workloadUid,
          message.isTemporary,
        );
      case "certificate-withdrawn":
        return this.#plane.credentials.withdraw(message.subject.id, message.subject.workloadUid, message.cut);
      case "revocation-lists":
        return this.#plane.setRevocationLists(message.lists);
      case "listen":
        return this.#listen(message.announce);
      case "pod":
        return this.#pods.receive(message.order);
      case "log-filter":
        return this.#setFilter(message.filter);
      case "access-lines":
        return this.#plane.telemetry.setAccessLines(message.lines);
      case "snapshot":
        return this.#snapshot(message.request);
      case "figures":
        return this.#figures(message.request);
      case "dump":
        return this.#dumps.receive(message.request);
      case "flows":
        return this.#flows.receive(message.request);
      case "simulate":
        return this.#simulations.receive(message.request);
      case "profile":
        return this.#profile(message.order);
      case "explain":
        return this.#scope.postMessage({
          kind: "explained",
          reply: explainFor(this.#plane.state, this.#config, message.request),
        });
      case "drain":
        return this.#plane.drain(message.mode, () => this.#drained());
      default:
        message satisfies never;
    }
  }

  #listen(announce: boolean): void {
    const { mark } = this.#config.sockets;
    try {
      // Without the right to set it every dial would fail: better reported now than at the first connection.
      if (mark !== null) checkMark(mark);
      this.#plane.startPod(this.#config.workload!, null, announce);
      this.#scope.postMessage({ kind: "listening" });
    } catch (error) {
      this.#scope.postMessage({ kind: "failed", message: messageOf(error) });
    }
  }

  /** The loop runs until the process ends: main may be about to write to its eventfd. */
  #drained(): void {
    this.#failures.close();
    this.#writer.drain(LOG_DRAIN_TIMEOUT);
    this.#flows.flush();
    this.#scope.postMessage({ kind: "drained" });
  }

  #snapshot(request: number): void {
    const reading = this.#readings.get(request) ?? this.#beginReading();
    const slice = reading.next();
    if (slice.ended) this.#readings.delete(request);
    else this.#readings.set(request, reading);
    this.#scope.postMessage({ kind: "snapshot", request, slice });
  }

  #beginReading(): MetricsReading {
    const { load, handshakes } = this.#reactor;
    collectIsolateMetrics(this.#metrics, this.#thread, this.#writer);
    collectLoopMetrics(this.#metrics, this.#thread, { load, handshakes, held: this.#plane.held });
    return new MetricsReading(this.#metrics, () => performance.now());
  }

  #figures(request: number): void {
    const { load, handshakes } = this.#reactor, { flows, held, state } = this.#plane;
    const { heapUsed } = Deno.memoryUsage();
    const figures = readFigures({ traffic: this.#metrics.traffic, flows, load, handshakes, held, heap: heapUsed });
    this.#scope.postMessage({ kind: "figures", answer: { request, figures, mesh: state.size } });
  }

  #profile(order: ProfileOrder): void {
    if (order.kind === "start") return this.#profiler.start(order.what, order.interval);
    const { request } = order;
    this.#profiler.stop((profile) => this.#scope.postMessage({ kind: "profile", answer: { request, profile } }));
  }

  #setFilter(text: string): void {
    const filter = LogFilter.parse(text);
    if (typeof filter !== "string") this.#log.filter = filter;
  }

  #logOverflow(overflow: SeriesOverflow): void {
    this.#log.scope("ztunnel::metrics").warn(seriesOverflowText(overflow));
  }

  #logLostRedirection(client: SocketAddress, destination: SocketAddress, error: string | null): void {
    const consequence = error === null
      ? "the client's connection was ended, since it would have waited for ever"
      : `the client may wait for ever, as its connection cannot be ended: ${error} (needs CAP_NET_ADMIN and a kernel ` +
        "with CONFIG_INET_DIAG_DESTROY, and for clients outside of the pod CAP_NET_RAW)";
    this.#failures.warn(
      "redirection",
      this.#log.scope("ztunnel::proxy"),
      `the kernel has lost the connection tracking entry of a redirected connection (conntrack -F?): ${consequence}`,
      { "src.addr": formatAddress(client), "dst.addr": formatAddress(destination) },
    );
  }

  #logSourceRefused(code: string): void {
    const text = `failed to set freebind: ${code}: applications see the proxy's address in place of their client's ` +
      "(it needs CAP_NET_ADMIN; ENABLE_ORIG_SRC=false dials from the proxy's own address)";
    this.#failures.warn("freebind", this.#log.scope("ztunnel::proxy"), text);
  }

  #logSourcePortsInUse(source: string, destination: string): void {
    const text =
      "all tried source ports below ip_local_port_range are in use: the kernel chooses one in that range, where " +
      "it may be one that the client uses too";
    this.#log.scope("ztunnel::proxy").debug(text, { "src.addr": source, "dst.addr": destination });
  }

  #logShed(count: number, address: string, code: string): void {
    this.#log.scope("ztunnel::proxy").error(
      `cannot accept connections: ${code}; ${count} closed at once, accepting pauses (raise the limit of open files)`,
      { address },
    );
  }
}

function trimLater(reactor: Reactor, trim: () => boolean): void {
  reactor.after(TRIM_PERIOD, () => {
    if (trim()) trimLater(reactor, trim);
  });
}

/** Lines are written once in each turn, at its end. */
function makeWriter(output: LogOutput, reactor: Reactor, onDropped: (count: number) => void): LogWriter {
  const flush = { runTurn: () => writer.flush() };
  const writer: LogWriter = writerTo(output, {
    flushSoon: () => reactor.atTurnEnd(flush),
    retryAfter: (delay) => void reactor.after(delay, () => writer.retry()),
    onDropped,
  });
  return writer;
}

function makeLog(config: Config, filterText: string, writer: LogWriter): Log {
  const filter = LogFilter.parse(filterText);
  if (typeof filter === "string") throw new Error(filter);
  const clock = systemClock({ now: Date.now, elapsed: monotonic });
  return new Log({ filter, format: logFormat(config.log.format), writer, clock });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function stackOf(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
