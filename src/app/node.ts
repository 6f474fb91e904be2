/**
 * The wiring of a node: every part is made here, once, and gets what it needs through its constructor. Parts that call
 * one another do so by callbacks that name the other one, so a missing connection is a compile error.
 *
 * They start in this order and stop in the reverse one (`docs/spec/config-admin.md` 7.2):
 *
 *   log, signals      to report what fails from here on, and to be stopped during the start
 *   workers           their threads load and open the TLS library while the rest starts: most modules of this thread are
 *                     loaded after this point, since the time to the first connection is the longer of both
 *   readiness server  probes get an answer while the rest starts
 *   certificates      the authority is contacted; nothing is served before it answers, or for AUTHORITY_WAIT
 *   revocation lists  no peer is admitted before they are known
 *   mesh              static file and control plane
 *   admin server      it shows why a start does not finish
 *   stats server      once the workers are ready
 *   mesh's start      its resources go to the workers
 *   listeners         dedicated mode: of the one workload; shared mode: of each pod that the agent sends
 */
import type { Config } from "../config/config.ts";
import { authorityGate } from "../control/certificates/authority_gate.ts";
import { LocalPods } from "../control/certificates/local_pods.ts";
import { keepDebuggerClosed } from "../control/debugger_watch.ts";
import { keepMemorySmall } from "../control/memory_keeper.ts";
import type { NodePods } from "../control/pods/node_pods.ts";
import { takePods } from "../control/pods/take_pods.ts";
import { Workers } from "../control/workers/workers.ts";
import { CertificateHealth } from "../identity/certificate_health.ts";
import { SYSTEM_CLOCK } from "../net/clock.ts";
import type { OtlpExport } from "../otlp/otlp_export.ts";
import { returnMemory } from "../os/memory.ts";
import { Metrics } from "../telemetry/metrics.ts";
import { Readiness } from "../telemetry/readiness.ts";
import { beginProcess, logConfig, logMode } from "./first_lines.ts";
import { LogOwner, type MainLog, makeLog } from "./logging.ts";
import { metricsPage } from "./metrics_page.ts";
import { connectionLister, decisionsOf, dryRunCounts, flowSource } from "./flow_sources.ts";
import { profileOf } from "./profiler.ts";
import { Servers } from "./servers.ts";
import { stopOnSignals } from "./signals.ts";
import { Stopping } from "./stopping.ts";

/** Milliseconds that writing the rest of the log may take at the end. */
const LAST_LINES = 1000;

/** Resolves when the node has been drained. Rejects with a text for the operator when it cannot start. */
export async function runNode(config: Config, makeWorker: () => Worker): Promise<void> {
  const logging = makeLog(config);
  try {
    await run(config, makeWorker, logging);
  } finally {
    logging.writer.drain(LAST_LINES);
  }
}

async function run(config: Config, makeWorker: () => Worker, logging: MainLog): Promise<void> {
  const { log, filter, writer, output } = logging;
  const stopping = new Stopping();
  stopOnSignals(stopping, log);
  beginProcess(config, log);
  const servers = new Servers(config, log);

  /** Once the workers are ready; null: nothing is exported. */
  let otlp = null as OtlpExport | null;
  /** Of shared mode, once it serves. */
  let pods: NodePods | null = null;
  const workers = new Workers(config, makeWorker, {
    onCertificateRequest: (subject) => certificates.request(subject),
    onPod: (worker, answer) => pods?.receive(worker, answer),
    onLookup: (worker, name) => mesh.lookUp(worker, name),
    onResourcesApplied: (sequence) => mesh.applied(sequence),
  });
  const workersReady = workers.start(servers.asBound, filter.toString(), output);
  // Awaited below; until then a failure must not end the process as unhandled.
  workersReady.catch(() => {});
  await logConfig(config, log);

  const metrics = new Metrics();
  metrics.cell("istio_build", "ztunnel", config.istioVersion).value = 1;
  const health = new CertificateHealth();
  const readiness = new Readiness(
    log.scope("ztunnel::readiness"),
    () => performance.now(),
    () => health.trouble(SYSTEM_CLOCK.now()),
  );
  if (config.proxyEnabled) readiness.register("proxy");
  if (config.dnsEnabled) readiness.register("dns proxy");
  readiness.register("state manager");
  servers.serveReadiness(readiness);

  const localPods = new LocalPods({ onGone: (uid) => certificates.podGone(uid) });
  const { Certificates } = await import("../control/certificates/certificates.ts");
  const certificates = await Certificates.open({
    config,
    pods: localPods,
    health,
    log,
    metrics,
    send: (message) => workers.send(message),
    onIssued: (issued) => revocation?.learn(issued),
  });
  const { connected } = certificates;
  if (connected !== null) {
    readiness.register("certificate authority");
    void connected.then(() => readiness.complete("certificate authority"));
  }
  const gate = authorityGate(connected, config.authorityWait, SYSTEM_CLOCK);

  const { openRevocation } = await import("../control/certificates/revocation.ts");
  const revocation = await openRevocation(config, readiness, log);
  const onSynced = () => readiness.complete("state manager");
  const { MeshSource } = await import("../control/mesh/mesh_source.ts");
  const mesh = await MeshSource.open({ config, workers, certificates, metrics, log, onSynced });

  const { dumpSources } = await import("./dump_sources.ts");
  const { dashboardSources, nodeSampler } = await import("./dashboard_sources.ts");
  const sampler = nodeSampler(config, workers);
  await servers.serveAdmin({
    control: new LogOwner(log, { filter, lines: config.log.access }, (message) => workers.send(message)),
    dump: dumpSources({ config, certificates, workers, log, pods: () => pods }),
    explain: (question) => workers.explain(question),
    simulate: async (changes) => {
      const { simulator } = await import("./simulator.ts");
      return await simulator(workers)(changes);
    },
    profile: profileOf(workers),
    connections: connectionLister(workers),
    drainDeadline: config.drainDeadline,
    flows: flowSource(workers),
    dryRuns: () => dryRunCounts(workers),
    dashboard: dashboardSources(
      { config, certificates, health, mesh, workers, readiness, pods: () => pods },
      sampler,
    ),
    decisions: (id) => decisionsOf(workers, id),
    stop(force) {
      log.scope("ztunnel::signal::imp").info("received explicit shutdown signal", force ? { force } : {});
      if (force) stopping.force();
      else stopping.begin();
    },
  });

  const start = async () => {
    logMode(config, await workersReady, log);
    if (config.otlp !== null) {
      const { openOtlp } = await import("../otlp/open_otlp.ts");
      otlp = openOtlp(config.otlp, flowSource(workers), metrics, log);
    }
    // Before the listeners open.
    revocation?.follow((lists) => workers.send({ kind: "revocation-lists", lists }));
    servers.serveStats(metricsPage({ metrics, certificates, workers, writer, log }));
    // What the start needed is released before a mesh comes, which may need more than all of it.
    if (config.xds.address !== null) returnMemory();
    mesh.start();
    await Promise.race([Promise.all([mesh.synced, revocation?.usable]), workers.death]);
    if (config.mode === "dedicated") await workers.listen();
    else await Promise.race([gate, workers.death]);
    return true;
  };
  // When it is stopped during the start it just ends: nothing can be drained yet.
  if (!await Promise.race([start(), stopping.begun.then(() => false)])) return await servers.drain(Promise.resolve());
  if (config.mode === "shared") {
    pods = await takePods(await gate, certificates, { config, workers, localPods, readiness, metrics, log });
  }
  const debuggerWatch = keepDebuggerClosed(log);
  const memory = keepMemorySmall();
  sampler.start();
  readiness.complete("proxy");
  readiness.complete("dns proxy");

  await Promise.race([stopping.begun, workers.death, ...(pods === null ? [] : [pods.breach])]);

  memory.stop();
  debuggerWatch.stop();
  await pods?.stop();
  const drained = workers.drain({ kind: "graceful", deadline: config.drainDeadline });
  void stopping.forced.then(() => workers.cut());
  await servers.drain(drained);
  sampler.stop();
  await otlp?.close();
  mesh.close();
  certificates.close();
  revocation?.close();
}
