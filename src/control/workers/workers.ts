/** All data-plane workers as one: what main sends goes to every one of them. */
import type { Config } from "../../config/config.ts";
import type { MeshDumpReader } from "./worker_dump.ts";
import { type WorkerEvents, WorkerHandle } from "./worker_handle.ts";
import type { ToWorker } from "../../dataplane/messages.ts";
import type { FiguresAnswer } from "../../dataplane/figure_messages.ts";
import type { ExplainAnswer, ExplainQuestion } from "../../mesh/explain/explanation.ts";
import { checkMark } from "../../inpod/startup_checks.ts";
import type { DrainMode } from "../../net/drain_mode.ts";
import type { LogOutput } from "../../telemetry/log_output.ts";
import type { MetricsSum } from "../../telemetry/metrics_sum.ts";
import { checkSharedPorts } from "./shared_ports.ts";

type WorkersEvents = Omit<WorkerEvents, "onDeath">;

/** Starts the workers, sends messages to all of them and gathers their answers. */
export class Workers {
  /** Of the hashes of names and addresses, which others choose: the same for all isolates of this process. */
  readonly hashSeed = crypto.getRandomValues(new Uint32Array(1))[0]!;
  readonly #config: Config;
  readonly #handles: WorkerHandle[];
  readonly #death = Promise.withResolvers<never>();
  /** Fail what still waits for answers of the workers. */
  readonly #rejections = new Set<(error: Error) => void>();
  /** Set when a worker has died. */
  #deathError: Error | null = null;

  /** Makes `config.workerThreads` of them. Nothing is called back before {@link Workers.start}. */
  constructor(config: Config, makeWorker: () => Worker, events: WorkersEvents) {
    this.#config = config;
    // Callers race against this promise. Before the first one does, a rejection would count as unhandled.
    this.#death.promise.catch(() => {});
    const onDeath = (message: string) => this.#fail(new Error(message));
    this.#handles = Array.from(
      { length: config.workerThreads },
      () => new WorkerHandle(makeWorker(), { ...events, onDeath }),
    );
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
    for (const [index, worker] of this.#handles.entries()) {
      const { hashSeed } = this;
      worker.send({ kind: "start", config, filter, output, hashSeed, thread: threadName(index) });
    }
    const versions = await this.#all((worker) => worker.ready);
    return versions[0] ?? "none";
  }

  /**
   * Binds the listeners of the one workload. Rejects with `failed to bind to address ...`, and where sockets cannot have
   * `PACKET_MARK`: better reported now than at the first connection.
   */
  async listen(): Promise<void> {
    const { sockets: { mark } } = this.#config;
    if (mark !== null) checkMark(mark);
    checkSharedPorts(this.#config);
    for (const [index, worker] of this.#handles.entries()) worker.send({ kind: "listen", announce: index === 0 });
    await this.#all((worker) => worker.listening);
  }

  /** Explains a connection. The first worker answers, once it is up. */
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

  /** Resolves when every worker has ended its connections. */
  async drain(mode: DrainMode): Promise<void> {
    this.send({ kind: "drain", mode });
    await this.#all((worker) => worker.drained);
  }

  /** Cuts the connections that a graceful {@link Workers.drain} still waits for. */
  cut(): void {
    this.send({ kind: "drain", mode: { kind: "immediate" } });
  }

  /** Adds the metrics of all workers to `sum`. */
  async addMetrics(sum: MetricsSum): Promise<void> {
    await this.#all(async (worker) => {
      for await (const part of worker.metrics()) sum.add(part);
    });
  }

  /** The figures of each worker, once all of them are up. */
  figures(): Promise<readonly FiguresAnswer[]> {
    return this.#all(async (worker) => {
      await worker.ready;
      return await worker.figures();
    });
  }

  /** Sends a message to every worker. */
  send(message: ToWorker): void {
    for (const worker of this.#handles) worker.send(message);
  }

  /**
   * Resolves with the answers of all workers; rejects when one of them dies. Not by Promise.race with {@link death}, which
   * is pending as long as the proxy runs: each race would leave its callbacks there.
   */
  #all<T>(ask: (worker: WorkerHandle) => Promise<T>): Promise<T[]> {
    if (this.#deathError !== null) return Promise.reject(this.#deathError);
    const { promise, resolve, reject } = Promise.withResolvers<T[]>();
    this.#rejections.add(reject);
    Promise.all(this.#handles.map(ask)).then(resolve, reject).finally(() => this.#rejections.delete(reject));
    return promise;
  }

  #fail(error: Error): void {
    this.#deathError ??= error;
    this.#death.reject(error);
    for (const reject of this.#rejections) reject(error);
    this.#rejections.clear();
  }
}

/** The name of a worker in metrics and profiles. */
export function threadName(index: number): string {
  return `data-plane-${index}`;
}
