/**
 * The wiring of a whole node, in the order of `docs/spec/config-admin.md` 7.2: servers, authority and certificate
 * manager, static mesh, workers, signals. Everything is made here once and handed down.
 */
import type { Config } from "../config/config.ts";
import { startupDump } from "../config/config_dump.ts";
import { raiseDescriptorLimit } from "../os/limits.ts";
import { limitArenas } from "../os/memory.ts";
import type { Log } from "../telemetry/log.ts";
import type { LogFilter } from "../telemetry/log_filter.ts";
import { Metrics } from "../telemetry/metrics.ts";
import { collectProcessMetrics } from "../telemetry/process_metrics.ts";
import { Readiness } from "../telemetry/readiness.ts";
import { Certificates } from "./certificates.ts";
import { dumpSources } from "./dump_sources.ts";
import { FilterOwner, makeLog } from "./logging.ts";
import { keepMemorySmall } from "./memory_keeper.ts";
import { MeshSource } from "./mesh_source.ts";
import type { Pods } from "./pods.ts";
import { profileOf } from "./profiler.ts";
import { Servers } from "./servers.ts";
import { stopSignal } from "./signals.ts";
import { versionLine } from "./version_line.ts";
import { Workers } from "./workers.ts";

/** Milliseconds the log may take to leave at the end. */
const LAST_LINES = 1000;

/** Returns when the node has been drained. Throws with a text for the operator when it cannot start. */
export async function runNode(config: Config, makeWorker: () => Worker): Promise<void> {
  const { log, filter, writer } = makeLog(config);
  try {
    const asked = Promise.withResolvers<void>();
    const stop = Promise.race([asked.promise, stopSignal(log)]);
    announce(config, log);
    limitArenas(config.workerThreads);
    const readiness = new Readiness(log.scope("ztunnel::readiness"), () => performance.now());
    readiness.register("proxy");
    readiness.register("state manager");
    const servers = new Servers(config, log);
    servers.serveReadiness(readiness);
    const metrics = new Metrics();
    metrics.cell("istio_build", "ztunnel", config.istioVersion).value = 1;
    const certificates = await Certificates.open(config, log);
    const workers = new Workers(config, makeWorker, (subject) => certificates.want(subject));
    certificates.send = (message) => workers.send(message);
    if (certificates.connected !== null) {
      readiness.register("certificate authority");
      void certificates.connected.then(() => readiness.complete("certificate authority"));
    }
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
        log.scope("ztunnel::signal").info("received explicit shutdown signal");
        asked.resolve();
      },
    });
    const start = async () => {
      await startWorkers(config, workers, filter, log);
      servers.serveStats(async () => {
        collectProcessMetrics(metrics, (text) => log.scope("ztunnel::metrics").warn(text));
        return [metrics.snapshot(), ...await workers.snapshots()];
      });
      mesh.start();
      await Promise.race([mesh.synced, workers.death]);
      if (config.mode === "dedicated") await workers.listen();
      return true;
    };
    // Asked to stop during the start it just ends: there is nothing yet that could be drained.
    if (!await Promise.race([start(), stop.then(() => false)])) return await servers.drain();
    pods = config.mode === "shared"
      ? new (await import("./pods.ts")).Pods({ config, workers, certificates, readiness, metrics, log })
      : null;
    readiness.complete("proxy");
    const memory = keepMemorySmall();
    await Promise.race([stop, workers.death, ...(pods === null ? [] : [pods.breach])]);
    memory.stop();
    await pods?.stop();
    await Promise.all([
      servers.drain(),
      workers.drain({ kind: "graceful", deadline: config.drainDeadline }),
    ]);
    mesh.close();
    certificates.close();
  } finally {
    writer.drain(LAST_LINES);
  }
}

async function startWorkers(config: Config, workers: Workers, filter: LogFilter, log: Log): Promise<void> {
  const library = await workers.start(config, filter.toString());
  log.scope("ztunnel::tls").info("TLS library in use", { library });
  const scope = log.scope("ztunnel::app");
  scope.info(config.mode === "shared" ? "shared proxy mode - in-pod mode enabled" : "proxy mode enabled");
  if (!config.dnsEnabled) scope.info("no dns proxy created");
}

function announce(config: Config, log: Log): void {
  const scope = log.scope("ztunnel");
  scope.info(`version: ${versionLine(config.istioVersion)}`);
  const { soft, hard } = raiseDescriptorLimit();
  scope.info(`set file descriptor limits from ${soft} to ${hard}`);
  scope.info(`running with config: ${startupDump(config)}`);
  for (const warning of config.warnings) scope.warn(warning);
}
