/** The workload a pod's proxy serves: in the mesh state, or awaited there for a while (`docs/spec/dataplane.md` 1.4). */
import type { WorkloadName } from "../config/config.ts";
import type { Workload } from "../mesh/model.ts";
import type { MeshState } from "../mesh/state.ts";
import type { Millis, Scheduler } from "../net/network.ts";

export const WORKLOAD_WAIT: Millis = 5000;

export class LocalWorkload {
  readonly #state: MeshState;
  readonly #scheduler: Scheduler;
  readonly #name: WorkloadName;
  readonly #waiting = new Set<(workload: Workload) => void>();
  readonly #unsubscribe: () => void;
  #known: Workload | null = null;

  constructor(state: MeshState, scheduler: Scheduler, name: WorkloadName) {
    this.#state = state;
    this.#scheduler = scheduler;
    this.#name = name;
    this.#unsubscribe = state.subscribe({
      workloadInserted: () => this.#refresh(),
      workloadRemoved: () => this.#refresh(),
    });
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

  /** Calls back at once where it is known, else when it comes; with null after 5 s. Call the result to stop waiting. */
  get(use: (workload: Workload | null) => void): () => void {
    const known = this.current;
    if (known !== null) {
      use(known);
      return () => {};
    }
    const stop = () => {
      timer.cancel();
      this.#waiting.delete(arrived);
    };
    const arrived = (workload: Workload) => {
      stop();
      use(workload);
    };
    const timer = this.#scheduler.after(WORKLOAD_WAIT, () => {
      stop();
      use(null);
    });
    this.#waiting.add(arrived);
    return stop;
  }

  close(): void {
    this.#unsubscribe();
    this.#waiting.clear();
  }

  #find(): Workload | null {
    const { name, namespace, serviceAccount } = this.#name;
    return this.#state.findLocalWorkload(name, namespace, serviceAccount);
  }

  #refresh(): void {
    this.#known = this.#find();
    if (this.#known === null) return;
    for (const arrived of [...this.#waiting]) arrived(this.#known);
  }
}
