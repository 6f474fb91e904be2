/** Main's side of one data-plane worker. A worker that dies is fatal for the process: `onDeath` says why. */
import { wake } from "../../os/wake.ts";
import type { CpuProfile } from "../../telemetry/cpu_profile.ts";
import type { MetricsSnapshot } from "../../telemetry/metrics.ts";
import type { MetricsSlice } from "../../telemetry/metrics_reading.ts";
import type { ToMain, ToWorker } from "../../dataplane/messages.ts";
import type { CertificateSubject } from "../../identity/authority.ts";
import type { ExplainAnswer, ExplainQuestion } from "../../mesh/explain/explanation.ts";
import { type MeshDumpReader, WorkerDumps } from "./worker_dump.ts";
import type { PodAnswer } from "../../dataplane/pod_messages.ts";

export interface WorkerEvents {
  onCertificateWanted(subject: CertificateSubject, worker: WorkerHandle): void;
  onPod(answer: PodAnswer, worker: WorkerHandle): void;
  /** What is behind a name that the mesh does not know. To be answered with `mesh-answered`. */
  onMeshWanted(name: string, worker: WorkerHandle): void;
  /** The part with this number of what the control plane sent, and all before it. */
  onResourcesApplied(sequence: number, worker: WorkerHandle): void;
  onDeath(message: string): void;
}

export class WorkerHandle {
  readonly #worker: Worker;
  readonly #events: WorkerEvents;
  readonly #snapshots = new Map<number, (slice: MetricsSlice) => void>();
  readonly #profiling = new Map<number, (profile: CpuProfile) => void>();
  readonly #explaining = new Map<number, (answer: ExplainAnswer) => void>();
  readonly #ready = Promise.withResolvers<string>();
  readonly #listening = Promise.withResolvers<void>();
  readonly #drained = Promise.withResolvers<void>();
  readonly #dumps = new WorkerDumps((request) => this.send({ kind: "dump", request }));
  #wakeDescriptor = -1;
  #requests = 0;

  constructor(worker: Worker, events: WorkerEvents) {
    this.#worker = worker;
    // Rejected together with `ready`, whose failure is the one to report.
    this.#listening.promise.catch(() => {});
    this.#events = events;
    worker.onmessage = (event: MessageEvent<ToMain>) => this.#receive(event.data);
    worker.onerror = (event) => {
      event.preventDefault();
      events.onDeath(`a data-plane worker died: ${event.message}`);
    };
  }

  send(message: ToWorker): void {
    this.#worker.postMessage(message);
    // In this order: the worker looks for messages once it is awake.
    if (this.#wakeDescriptor >= 0) wake(this.#wakeDescriptor);
  }

  /** Resolves with the version of the worker's TLS library; rejects with the reason why it cannot start. */
  get ready(): Promise<string> {
    return this.#ready.promise;
  }

  /** Settles after a `listen`. */
  get listening(): Promise<void> {
    return this.#listening.promise;
  }

  get drained(): Promise<void> {
    return this.#drained.promise;
  }

  /** The worker's metrics, part by part. The caller must read to the end: until then the worker keeps its position. */
  async *metrics(): AsyncGenerator<MetricsSnapshot, void, undefined> {
    const request = this.#requests++;
    for (let ended = false; !ended;) {
      const { promise, resolve } = Promise.withResolvers<MetricsSlice>();
      this.#snapshots.set(request, resolve);
      this.send({ kind: "snapshot", request });
      const slice = await promise;
      yield slice.part;
      ended = slice.ended;
    }
  }

  /** What it sampled since it was told to start. */
  profile(): Promise<CpuProfile> {
    const { promise, resolve } = Promise.withResolvers<CpuProfile>();
    const request = this.#requests++;
    this.#profiling.set(request, resolve);
    this.send({ kind: "profile", order: { kind: "stop", request } });
    return promise;
  }

  /** About the mesh as it is. */
  explain(question: ExplainQuestion): Promise<ExplainAnswer> {
    const { promise, resolve } = Promise.withResolvers<ExplainAnswer>();
    const request = this.#requests++;
    this.#explaining.set(request, resolve);
    this.send({ kind: "explain", request: { request, question } });
    return promise;
  }

  /** Begins a dump of the mesh as it is. */
  dump(): MeshDumpReader {
    return this.#dumps.begin();
  }

  terminate(): void {
    this.#worker.terminate();
  }

  #sliceCame(request: number, slice: MetricsSlice): void {
    const wait = this.#snapshots.get(request);
    this.#snapshots.delete(request);
    wait?.(slice);
  }

  #receive(message: ToMain): void {
    switch (message.kind) {
      case "ready":
        this.#wakeDescriptor = message.wake;
        // For what was sent before it could be woken.
        wake(message.wake);
        return this.#ready.resolve(message.library);
      case "listening":
        return this.#listening.resolve();
      case "pod":
        return this.#events.onPod(message.answer, this);
      case "mesh-wanted":
        return this.#events.onMeshWanted(message.name, this);
      case "resources-applied":
        return this.#events.onResourcesApplied(message.sequence, this);
      case "certificate-wanted":
        return this.#events.onCertificateWanted(message.subject, this);
      case "snapshot":
        return this.#sliceCame(message.request, message.slice);
      case "dump":
        return this.#dumps.receive(message.answer);
      case "profile":
        this.#profiling.get(message.answer.request)?.(message.answer.profile);
        this.#profiling.delete(message.answer.request);
        return;
      case "explained":
        this.#explaining.get(message.reply.request)?.(message.reply.answer);
        this.#explaining.delete(message.reply.request);
        return;
      case "drained":
        return this.#drained.resolve();
      case "failed":
        this.#ready.reject(new Error(message.message));
        return this.#listening.reject(new Error(message.message));
      default:
        message satisfies never;
    }
  }
}
