/** The data-plane workers as one: what main tells them, it tells all of them. */
import type { Config } from "../../config/config.ts";
import type { MeshDumpReader } from "./worker_dump.ts";
import { WorkerHandle } from "./worker_handle.ts";
import type { ToWorker } from "../../dataplane/messages.ts";
import type { PodAnswer } from "../../dataplane/pod_messages.ts";
import type { CertificateSubject } from "../../identity/authority.ts";
import type { ExplainAnswer, ExplainQuestion } from "../../mesh/explain/explanation.ts";
import type { DrainMode } from "../../net/drain_mode.ts";
import type { LogOutput } from "../../telemetry/log_output.ts";
import type { MetricsSum } from "../../telemetry/metrics_sum.ts";
import { checkSharedPorts } from "./shared_ports.ts";

export class Workers {
  readonly #config: Config;
  readonly #handles: WorkerHandle[];
  readonly #death = Promise.withResolvers<never>();
  /** Hears what workers say about pods, set by the wiring. */
  onPod: (worker: WorkerHandle, answer: PodAnswer) => void = () => {};
  /** Hears what a worker wants to know on demand, set by the wiring. */
  onMeshWanted: (worker: WorkerHandle, name: string) => void = () => {};
  /** Hears which parts of what the control plane sent a worker has applied, set by the wiring. */
  onResourcesApplied: (worker: WorkerHandle, sequence: number) => void = () => {};

  /** Makes `config.workerThreads` of them. `wanted`: a worker needs the certificate of this subject. */
  constructor(config: Config, makeWorker: () => Worker, wanted: (subject: CertificateSubject) => void) {
    this.#config = config;
    // Whoever waits for something races against it; before that nobody does.
    this.#death.promise.catch(() => {});
    this.#handles = Array.from({ length: config.workerThreads }, () =>
      new WorkerHandle(makeWorker(), {
        onCertificateWanted: wanted,
        onPod: (answer, worker) => this.onPod(worker, answer),
        onMeshWanted: (name, worker) => this.onMeshWanted(worker, name),
        onResourcesApplied: (sequence, worker) => this.onResourcesApplied(worker, sequence),
        onDeath: (message) => this.#death.reject(new Error(message)),
      }));
  }

  get all(): readonly WorkerHandle[] {
    return this.#handles;
  }

  /** Rejects when a worker dies, with its error. */
  get death(): Promise<never> {
    return this.#death.promise;
  }

  /** Resolves with the version of the TLS library. Rejects with a text for the operator. */
  async start(config: Config, filter: string, output: LogOutput): Promise<string> {
    this.send({ kind: "start", config, filter, output });
    const versions = await this.#all((worker) => worker.ready);
    return versions[0] ?? "none";
  }

  /** Binds the listeners of the one workload. Rejects with `failed to bind to address ...`. */
  async listen(): Promise<void> {
    checkSharedPorts(this.#config);
    for (const [index, worker] of this.#handles.entries()) worker.send({ kind: "listen", announce: index === 0 });
    await this.#all((worker) => worker.listening);
  }

  /** By the first worker, once it is up. */
  async explain(question: ExplainQuestion): Promise<ExplainAnswer> {
    const [worker] = this.#handles;
    await worker!.ready;
    return await worker!.explain(question);
  }

  /** The mesh as the first worker has it, once it is up; all have the same. */
  async dump(): Promise<MeshDumpReader> {
    const [worker] = this.#handles;
    await worker!.ready;
    return worker!.dump();
  }

  async drain(mode: DrainMode): Promise<void> {
    this.send({ kind: "drain", mode });
    await this.#all((worker) => worker.drained);
  }

  /** Adds the metrics of all workers. */
  async addMetrics(sum: MetricsSum): Promise<void> {
    await this.#all(async (worker) => {
      for await (const part of worker.metrics()) sum.add(part);
    });
  }

  send(message: ToWorker): void {
    for (const worker of this.#handles) worker.send(message);
  }

  #all<T>(ask: (worker: WorkerHandle) => Promise<T>): Promise<T[]> {
    return Promise.race([Promise.all(this.#handles.map(ask)), this.death]);
  }
}
