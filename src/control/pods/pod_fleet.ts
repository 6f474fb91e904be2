/**
 * Pods on the workers: an order is sent to each worker, and their answers are combined. A pod is served by all workers
 * or by none.
 *
 * The states of an instance at one worker:
 *
 *     asked ──started──▶ up ──stop──▶ stopping ──ended──▶ gone
 *       └──failed───────────────────────────────────────▶ gone
 */
import type { PodAnswer, PodInstance, PodOrder } from "../../dataplane/pod_messages.ts";
import type { InstanceState } from "../../inpod/audit.ts";
import type { Pod, PodHost, Serving, ServingEvents } from "../../inpod/pod.ts";
import type { Millis, Timer } from "../../net/clock.ts";
import type { Scheduler } from "../../net/network.ts";
import type { DrainMode } from "../../net/drain_mode.ts";

/** The agent waits 5 s for its answer (`docs/spec/inpod-dns.md` A1.12). */
const START_LIMIT: Millis = 4000;

/** One worker, as the receiver of orders about pods. */
export interface PodWorker {
  send(order: PodOrder): void;
}

interface FleetOptions {
  /** `INPOD_PORT_REUSE`: without it only one worker can listen, so pods are assigned to the workers in turn. */
  readonly sharedPorts: boolean;
}

/** Serves pods on all workers. */
export class PodFleet implements PodHost {
  readonly #workers: readonly PodWorker[];
  readonly #scheduler: Scheduler;
  readonly #options: FleetOptions;
  readonly #instances = new Map<PodInstance, Instance>();
  #last = 0;

  constructor(workers: readonly PodWorker[], scheduler: Scheduler, options: FleetOptions) {
    this.#workers = workers;
    this.#scheduler = scheduler;
    this.#options = options;
  }

  serve(pod: Pod, events: ServingEvents): Serving {
    const id = ++this.#last as PodInstance;
    const workers = this.#options.sharedPorts ? this.#workers : [this.#workers[id % this.#workers.length]!];
    const instance = new Instance(id, pod, workers, this.#scheduler, {
      onStarted: () => events.onStarted(),
      onFailed: (reason) => events.onFailed(reason),
      onEnded: () => {
        this.#instances.delete(id);
        events.onEnded();
      },
    });
    this.#instances.set(id, instance);
    const { uid, workload, namespace } = pod;
    const order = { kind: "serve", instance: id, uid, workload, namespace: namespace.descriptor } as const;
    for (const [index, worker] of workers.entries()) worker.send({ ...order, announce: index === 0 });
    return instance;
  }

  /** All instances, for audits and dumps. */
  get instances(): InstanceState[] {
    return [...this.#instances.values()].map((instance) => instance.stateAmong(this.#workers));
  }

  /** The highest number of an instance so far. */
  get lastInstance(): number {
    return this.#last;
  }

  /** Takes the answer of one worker about one instance. */
  receive(worker: PodWorker, answer: InstanceAnswer): void {
    this.#instances.get(answer.instance)?.receive(worker, answer);
  }
}

type InstanceAnswer = Extract<PodAnswer, { instance: PodInstance }>;

class Instance implements Serving {
  readonly #id: PodInstance;
  readonly #pod: Pod;
  readonly #events: ServingEvents;
  /** Workers that have the instance. */
  readonly #at: Map<PodWorker, "asked" | "up" | "stopping">;
  readonly #limit: Timer;
  #outcome: "open" | "started" | "failed" = "open";
  #reason: string | null = null;
  /** Not null: every worker that has the instance must end it. */
  #stop: DrainMode | null = null;

  constructor(id: PodInstance, pod: Pod, workers: readonly PodWorker[], scheduler: Scheduler, events: ServingEvents) {
    this.#id = id;
    this.#pod = pod;
    this.#events = events;
    this.#at = new Map(workers.map((worker) => [worker, "asked"]));
    this.#limit = scheduler.after(START_LIMIT, () => this.#onTimeout());
  }

  stateAmong(workers: readonly PodWorker[]): InstanceState {
    const { uid, namespace } = this.#pod;
    const settled = this.#stop === null && [...this.#at.values()].every((state) => state === "up");
    const up = [...this.#at.keys()].map((worker) => workers.indexOf(worker));
    return { instance: this.#id, uid, namespace: namespace.identity, up: settled ? up : null };
  }

  stop(mode: DrainMode): void {
    this.#stop = mode;
    for (const [worker, state] of this.#at) {
      if (state === "asked") continue;
      this.#at.set(worker, "stopping");
      worker.send({ kind: "stop", instance: this.#id, mode });
    }
  }

  receive(worker: PodWorker, answer: InstanceAnswer): void {
    switch (answer.kind) {
      case "started":
        return this.#onStartedAt(worker);
      case "failed":
        this.#reason ??= answer.reason;
        this.#at.delete(worker);
        if (this.#outcome === "open" && this.#stop === null) this.stop({ kind: "immediate" });
        return this.#onGoneAt();
      case "ended":
        this.#at.delete(worker);
        return this.#onGoneAt();
      default:
        answer satisfies never;
    }
  }

  #onStartedAt(worker: PodWorker): void {
    if (this.#stop !== null) {
      this.#at.set(worker, "stopping");
      return worker.send({ kind: "stop", instance: this.#id, mode: this.#stop });
    }
    this.#at.set(worker, "up");
    if ([...this.#at.values()].every((state) => state === "up")) this.#started();
  }

  /** A failure is reported once no worker has the instance, so that another attempt finds the ports free. */
  #onGoneAt(): void {
    if (this.#at.size > 0) return;
    this.#failed(this.#reason ?? "it was stopped before it was served");
    this.#events.onEnded();
  }

  #onTimeout(): void {
    const silent = [...this.#at.values()].filter((state) => state === "asked").length;
    this.#failed(`no answer from ${silent} data-plane worker(s) within ${START_LIMIT / 1000} s`);
    this.stop({ kind: "immediate" });
  }

  #started(): void {
    this.#outcome = "started";
    this.#limit.cancel();
    this.#events.onStarted();
  }

  #failed(reason: string): void {
    if (this.#outcome !== "open") return;
    this.#outcome = "failed";
    this.#limit.cancel();
    this.#events.onFailed(reason);
  }
}
