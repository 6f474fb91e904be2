/**
 * The wiring of a whole node, in the order of `docs/spec/config-admin.md` 7.2: servers, authority and certificate
 * manager, static mesh, workers, signals. Everything is made here once and handed down.
 */
import { SYSTEM_CLOCK } from "../net/clock.ts";
import type { Config } from "../config/config.ts";
import { startupDump } from "../config/config_dump.ts";
import { checkMark } from "../inpod/startup_checks.ts";
import { keepDebuggerSignalIgnored } from "../os/debugger_signal.ts";
import { forbidInspection } from "../os/inspection.ts";
import { raiseDescriptorLimit } from "../os/limits.ts";
import { limitArenas, returnMemory } from "../os/memory.ts";
import type { Log } from "../telemetry/log.ts";
import type { LogOutput } from "../telemetry/log_output.ts";
import type { LogFilter } from "../telemetry/log_filter.ts";
import { LEVEL } from "../telemetry/log_level.ts";
import { Metrics } from "../telemetry/metrics.ts";
import { ForgottenTraffic, MetricsSum } from "../telemetry/metrics_sum.ts";
import { collectProcessMetrics } from "../telemetry/process_metrics.ts";
import { Readiness } from "../telemetry/readiness.ts";
import { authorityGate, type GateOutcome } from "../control/certificates/authority_gate.ts";
import { Certificates } from "../control/certificates/certificates.ts";
import { dumpSources } from "./dump_sources.ts";
import { FilterOwner, makeLog } from "./logging.ts";
import { keepMemorySmall } from "../control/memory_keeper.ts";
import { MeshSource } from "../control/mesh/mesh_source.ts";
import type { Pods, PodsParts } from "../control/pods/node_pods.ts";
import { profileOf } from "./profiler.ts";
import { openRevocation } from "../control/certificates/revocation.ts";
import { Servers } from "./servers.ts";
import { stopSignal } from "./signals.ts";
import { versionLine } from "./version_line.ts";
import { Workers } from "../control/workers/workers.ts";

/** Milliseconds the log may take to leave at the end. */
const LAST_LINES = 1000;
/** Milliseconds between two checks of the signal that opens the runtime's debugger. */
const DEBUGGER_CHECK = 10_000;

/** Returns when the node has been drained. Throws with a text for the operator when it cannot start. */
export async function runNode(config: Config, makeWorker: () => Worker): Promise<void> {
  const { log, filter, writer, output } = makeLog(config);
  try {
    const asked = Promise.withResolvers<void>();
    const stop = Promise.race([asked.promise, stopSignal(log)]);
    announce(config, log);
    limitArenas(config.workerThreads);
    const readiness = new Readiness(log.scope("ztunnel::readiness"), () => performance.now());
    if (config.proxyEnabled) readiness.register("proxy");
    if (config.dnsEnabled) readiness.register("dns proxy");
    readiness.register("state manager");
    const servers = new Servers(config, log);
    servers.serveReadiness(readiness);
    const metrics = new Metrics();
    metrics.cell("istio_build", "ztunnel", config.istioVersion).value = 1;
    const certificates = await Certificates.open(config, log, metrics);
    const workers = new Workers(config, makeWorker, (subject) => certificates.want(subject));
    certificates.send = (message) => workers.send(message);
    readiness.trouble = () => certificates.trouble();
    const { connected } = certificates;
    if (connected !== null) {
      readiness.register("certificate authority");
      void connected.then(() => readiness.complete("certificate authority"));
    }
    const gate = authorityGate(connected, config.authorityWait, SYSTEM_CLOCK);
    const revocation = await openRevocation(config, readiness, log);
    const onSynced = () => readiness.complete("state manager");
    const mesh = await MeshSource.open({ config, workers, certificates, metrics, log, onSynced });
    let pods: Pods | null = null;
    const filters = new FilterOwner(log, filter, (text) => workers.send({ kind: "log-filter", filter: text }));
    servers.serveAdmin({
      control: filters,
      dump: dumpSources({ config, certificates, workers, log, pods: () => pods }),
      explain: (question) => workers.explain(question),
      profile: profileOf(workers),
      stop() {
        log.scope("ztunnel::signal::imp").info("received explicit shutdown signal");
        asked.resolve();
      },
    });
    const start = async () => {
      await startWorkers(servers.asBound, workers, filter, output, log);
      // Before the listeners open.
      revocation?.follow(certificates, (lists) => workers.send({ kind: "revocation-lists", lists }));
      const forgotten = new ForgottenTraffic();
      servers.serveStats(async () => {
        certificates.collectMetrics();
        metrics.cell("istio_log_lines_dropped").value = writer.dropped;
        collectProcessMetrics(metrics, (text) => log.scope("ztunnel::metrics").warn(text));
        const sum = new MetricsSum();
        sum.add(metrics.snapshot());
        await workers.addMetrics(sum);
        return sum.finish(forgotten);
      });
      // What the start needed goes before a mesh comes, which may need more than all of it.
      if (config.xds.address !== null) returnMemory();
      mesh.start();
      await Promise.race([Promise.all([mesh.synced, revocation?.usable]), workers.death]);
      if (config.mode === "dedicated") await listen(config, workers);
      else await Promise.race([gate, workers.death]);
      return true;
    };
    // Asked to stop during the start it just ends: there is nothing yet that could be drained.
    if (!await Promise.race([start(), stop.then(() => false)])) return await servers.drain();
    pods = config.mode === "shared"
      ? await takePods(await gate, { config, workers, certificates, readiness, metrics, log })
      : null;
    const signal = keepDebuggerClosed(log);
    readiness.complete("proxy");
    readiness.complete("dns proxy");
    const memory = keepMemorySmall();
    await Promise.race([stop, workers.death, ...(pods === null ? [] : [pods.breach])]);
    memory.stop();
    signal.stop();
    await pods?.stop();
    await Promise.all([
      servers.drain(),
      workers.drain({ kind: "graceful", deadline: config.drainDeadline }),
    ]);
    mesh.close();
    certificates.close();
    revocation?.close();
  } finally {
    writer.drain(LAST_LINES);
  }
}

/** Checks from time to time whether the runtime handles the signal that opens its debugger. This was never seen. */
function keepDebuggerClosed(log: Log): { stop(): void } {
  const look = () => {
    if (keepDebuggerSignalIgnored()) return;
    log.scope("ztunnel").error("SIGUSR1 would have opened the runtime's debugger; it is ignored again");
  };
  look();
  const timer = setInterval(look, DEBUGGER_CHECK);
  return { stop: () => clearInterval(timer) };
}

/** Shared mode: from now on the CNI agent sends pods. `gate`: how the wait for the certificate authority ended. */
async function takePods(gate: GateOutcome, parts: Omit<PodsParts, "standby">): Promise<Pods> {
  const { config, certificates, log } = parts;
  const scope = log.scope("ztunnel::app");
  const standby = gate === "limit";
  if (standby) {
    scope.warn(
      `the certificate authority has not answered within ${
        config.authorityWait / 1000
      } s (AUTHORITY_WAIT): taking the ` +
        "pods that no other proxy serves, so that new pods can start; their connections in the mesh fail until it " +
        "answers, and this proxy is not ready until then",
    );
  }
  const pods = new (await import("../control/pods/node_pods.ts")).Pods({ ...parts, standby });
  if (standby) {
    void certificates.connected?.then(() => {
      scope.info("the certificate authority answers: serving all pods of the node");
      pods.authorityAnswered();
    });
  }
  return pods;
}

/** Where the socket mark cannot be set, every dial would fail: better reported now than at the first connection. */
async function listen({ sockets: { mark } }: Config, workers: Workers): Promise<void> {
  if (mark !== null) checkMark(mark);
  await workers.listen();
}

async function startWorkers(
  config: Config,
  workers: Workers,
  filter: LogFilter,
  output: LogOutput,
  log: Log,
): Promise<void> {
  const library = await workers.start(config, filter.toString(), output);
  log.scope("ztunnel::tls").info("TLS library in use", { library });
  const scope = log.scope("ztunnel::app");
  if (config.mode === "shared") return scope.info("shared proxy mode - in-pod mode enabled");
  scope.info("proxy mode enabled");
  if (!config.proxyEnabled) scope.info("no proxy created");
  if (!config.dnsEnabled) scope.info("no dns proxy created");
}

function announce(config: Config, log: Log): void {
  const scope = log.scope("ztunnel");
  scope.info(`version: ${versionLine(config.istioVersion)}`);
  const { soft, hard } = raiseDescriptorLimit();
  scope.info(`set file descriptor limits from ${soft} to ${hard}`);
  if (!config.debuggable && !forbidInspection()) scope.warn("the kernel lets others look into this process");
  // Of many lines.
  if (scope.isEnabled(LEVEL.info)) {
    log.line(LEVEL.info, scope.target, startupDump(config), "");
  }
  for (const warning of config.warnings) scope.warn(warning);
}
