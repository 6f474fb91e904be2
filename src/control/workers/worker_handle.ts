/** The main isolate's side of one data-plane worker. When a worker ends by itself, the process must end: `onDeath`. */
import { wake } from "../../os/wake.ts";
import type { StackProfile } from "../../telemetry/stack_profile.ts";
import type { MetricsSnapshot } from "../../telemetry/metrics.ts";
import type { MetricsSlice } from "../../telemetry/metrics_reading.ts";
import type { ToMain, ToWorker } from "../../dataplane/messages.ts";
import type { FiguresAnswer } from "../../dataplane/figure_messages.ts";
import type { CertificateSubject } from "../../identity/authority.ts";
import type { ExplainAnswer, ExplainQuestion } from "../../mesh/explain/explanation.ts";
import { PendingReplies } from "./pending_replies.ts";
import { WorkerFlows } from "./worker_flows.ts";
import { WorkerSimulations } from "./worker_simulations.ts";
import { type MeshDumpReader, WorkerDumps } from "./worker_dump.ts";
import type { PodAnswer } from "../../dataplane/pod_messages.ts";

/** What a worker reports. */
export interface WorkerEvents {
  /** The worker needs the certificate of this subject. */
  onCertificateRequest(subject: CertificateSubject): void;
  /** News of a pod, or the answer to a question about pods. */
  onPod(worker: WorkerHandle, answer: PodAnswer): void;
  /** The worker looks up a name that its mesh lacks. The reply is `lookup-result`. */
  onLookup(worker: WorkerHandle, name: string): void;
  /** A worker has applied the part with this number of what the control plane sent. */
  onResourcesApplied(sequence: number): void;
  /** The worker has ended although nobody asked it to. */
  onDeath(message: string): void;
}

/** Sends messages to one worker and turns its messages into replies and callbacks. */
export class WorkerHandle {
  readonly #worker: Worker;
  readonly #events: WorkerEvents;
  readonly #snapshots = new PendingReplies<MetricsSlice>();
  readonly #profiles = new PendingReplies<StackProfile>();
  readonly #explanations = new PendingReplies<ExplainAnswer>();
  readonly #figures = new PendingReplies<FiguresAnswer>();
  readonly #ready = Promise.withResolvers<string>();
  readonly #listening = Promise.withResolvers<void>();
  readonly #drained = Promise.withResolvers<void>();
  readonly #dumps = new WorkerDumps((request) => this.send({ kind: "dump", request }));
  /** The worker's connections. */
  readonly flows = new WorkerFlows((request, transfer) => this.send({ kind: "flows", request }, transfer));
  readonly simulations = new WorkerSimulations((request) => this.send({ kind: "simulate", request }));
  #wakeDescriptor = -1;
  /** Messages that the worker gets when it is made, before its descriptor is known. */
  #early = 0;

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

  send(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer);
    // In this order: the worker reads its messages when it is woken.
    if (this.#wakeDescriptor >= 0) wake(this.#wakeDescriptor);
    else if (message.kind !== "start") this.#early++;
  }

  /** Resolves with the version of the worker's TLS library; rejects with the reason why it cannot start. */
  get ready(): Promise<string> {
    return this.#ready.promise;
  }

  /** Settles after a `listen`. */
  get listening(): Promise<void> {
    return this.#listening.promise;
  }

  /** Resolves once all connections of the worker have ended, after a `drain`. */
  get drained(): Promise<void> {
    return this.#drained.promise;
  }

  /** The worker's metrics, part by part. The caller must read to the end: until then the worker keeps its position. */
  async *metrics(): AsyncGenerator<MetricsSnapshot, void, undefined> {
    const request = this.#snapshots.next();
    for (let ended = false; !ended;) {
      const reply = this.#snapshots.wait(request);
      this.send({ kind: "snapshot", request });
      const slice = await reply;
      yield slice.part;
      ended = slice.ended;
    }
  }

  /** Ends the profile that was started by a message, and resolves with its samples. */
  profile(): Promise<StackProfile> {
    const request = this.#profiles.next();
    const reply = this.#profiles.wait(request);
    this.send({ kind: "profile", order: { kind: "stop", request } });
    return reply;
  }

  /** Explains a connection by the mesh as it is now. */
  explain(question: ExplainQuestion): Promise<ExplainAnswer> {
    const request = this.#explanations.next();
    const reply = this.#explanations.wait(request);
    this.send({ kind: "explain", request: { request, question } });
    return reply;
  }

  /** What the worker has done so far and holds now. */
  figures(): Promise<FiguresAnswer> {
    const request = this.#figures.next();
    const reply = this.#figures.wait(request);
    this.send({ kind: "figures", request });
    return reply;
  }

  /** Begins a dump of the mesh as it is now. */
  dump(): MeshDumpReader {
    return this.#dumps.begin();
  }

  /** Ends the worker's thread at once. */
  terminate(): void {
    this.#worker.terminate();
  }

  #receive(message: ToMain): void {
    switch (message.kind) {
      case "ready":
        this.#wakeDescriptor = message.wake;
        for (; this.#early > 0; this.#early--) wake(message.wake);
        return this.#ready.resolve(message.library);
      case "listening":
        return this.#listening.resolve();
      case "pod":
        return this.#events.onPod(this, message.answer);
      case "lookup":
        return this.#events.onLookup(this, message.name);
      case "resources-applied":
        return this.#events.onResourcesApplied(message.sequence);
      case "certificate-request":
        return this.#events.onCertificateRequest(message.subject);
      case "snapshot":
        return this.#snapshots.settle(message.request, message.slice);
      case "figures":
        return this.#figures.settle(message.answer.request, message.answer);
      case "dump":
        return this.#dumps.receive(message.answer);
      case "profile":
        return this.#profiles.settle(message.answer.request, message.answer.profile);
      case "explained":
        return this.#explanations.settle(message.reply.request, message.reply.answer);
      case "flows":
        return this.flows.receive(message.answer);
      case "simulated":
        return this.simulations.receive(message.answer);
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
