/**
 * The wiring of a whole node: authority and certificate manager, static mesh, workers, servers, signals. Everything is
 * made here once and handed down.
 */
import type { Config } from "../config/config.ts";
import { WorkerHandle } from "../control/worker_handle.ts";
import { raiseDescriptorLimit } from "../os/limits.ts";
import type { Log } from "../telemetry/log.ts";
import { loadMesh } from "./local_mesh.ts";
import { Certificates } from "./certificates.ts";
import { makeLog } from "./logging.ts";
import { stopSignal } from "./signals.ts";
import { versionLine } from "./version_line.ts";

/** Returns when the node has been drained. Throws with a text for the operator when it cannot start. */
export async function runNode(config: Config, makeWorker: () => Worker): Promise<void> {
  const { log, filter } = makeLog(config);
  announce(config, log);
  const mesh = loadMesh(config, log);
  const fatal = Promise.withResolvers<never>();
  const workers: WorkerHandle[] = [];
  const certificates = new Certificates(config, log, workers);
  for (let i = 0; i < config.workerThreads; i++) {
    workers.push(
      new WorkerHandle(makeWorker(), {
        onCertificateWanted: (id) => certificates.want(id),
        onDeath: (message) => fatal.reject(new Error(message)),
      }),
    );
  }
  for (const worker of workers) worker.send({ kind: "start", config, filter: filter.toString() });
  const libraries = await Promise.race([Promise.all(workers.map((worker) => worker.ready)), fatal.promise]);
  log.scope("ztunnel::app").info("proxy mode enabled");
  log.scope("ztunnel::tls").info("TLS library in use", { library: libraries[0] ?? "" });
  for (const worker of workers) worker.send({ kind: "mesh", changes: mesh });
  for (const worker of workers) worker.send({ kind: "listen" });
  await Promise.race([Promise.all(workers.map((worker) => worker.listening)), fatal.promise]);
  log.flush();
  await Promise.race([stopSignal(log), fatal.promise]);
  for (const worker of workers) {
    worker.send({ kind: "drain", mode: { kind: "graceful", deadline: config.drainDeadline } });
  }
  await Promise.race([Promise.all(workers.map((worker) => worker.drained)), fatal.promise]);
  certificates.close();
  log.flush();
}

function announce(config: Config, log: Log): void {
  const scope = log.scope("ztunnel");
  scope.info(`version: ${versionLine(config.istioVersion)}`);
  const { soft, hard } = raiseDescriptorLimit();
  scope.info(`set file descriptor limits from ${soft} to ${hard}`);
  for (const warning of config.warnings) scope.warn(warning);
}
