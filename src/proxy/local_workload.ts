/** The workload a pod's proxy serves: in the mesh state, or awaited there for a while (`docs/spec/dataplane.md` 1.4). */
import type { WorkloadName } from "../config/config.ts";
import type { Workload } from "../mesh/model.ts";
import type { MeshState } from "../mesh/state.ts";
import type { Millis, Scheduler, Timer } from "../net/network.ts";

export const WORKLOAD_WAIT: Millis = 5000;

interface Wait {
  readonly timer: Timer;
  end(workload: Workload): void;
}

export class LocalWorkload {
  readonly #state: MeshState;
  readonly #scheduler: Scheduler;
  readonly #name: WorkloadName;
  readonly #waiting = new Set<Wait>();
  readonly #unsubscribe: () => void;
  #known: Workload | null = null;

  constructor(state: MeshState, scheduler: Scheduler, name: WorkloadName) {
    this.#state = state;
    this.#scheduler = scheduler;
    this.#name = name;
    this.#unsubscribe = state.subscribe({ localWorkloadsChanged: () => this.#refresh() });
  }

  /** The workload now, or null. */
  get current(): Workload | null {
    return this.#known ??= this.#find();
  }

  /** `failed to fetch information about local workload: {sa}.{ns} ({name})` */
  get unknownMessage(): string {
    const { name, namespace, serviceAccount } = this.#name;
    return `failed to fetch information about local workload: ${serviceAccount}.${namespace} (${name})`;
  }

  /** Where there is none now: calls back when it comes, with null after 5 s. Call the result to stop waiting. */
  wait(use: (workload: Workload | null) => void): () => void {
    const end = (workload: Workload | null) => {
      stop();
      use(workload);
    };
    const timer = this.#scheduler.after(WORKLOAD_WAIT, () => end(null));
    const wait = { timer, end };
    const stop = () => {
      timer.cancel();
      this.#waiting.delete(wait);
    };
    this.#waiting.add(wait);
    return stop;
  }

  /** Who waits is not called any more. */
  close(): void {
    this.#unsubscribe();
    for (const { timer } of this.#waiting) timer.cancel();
    this.#waiting.clear();
  }

  #find(): Workload | null {
    const { name, namespace, serviceAccount } = this.#name;
    return this.#state.findLocalWorkload(name, namespace, serviceAccount);
  }

  #refresh(): void {
    this.#known = this.#find();
    if (this.#known === null) return;
    for (const { end } of this.#waiting) end(this.#known);
  }
}
