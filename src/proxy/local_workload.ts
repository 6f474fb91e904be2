/** The workload a pod's proxy serves: in the mesh state, or awaited there for a while (`docs/spec/dataplane.md` 1.4). */
import type { WorkloadName } from "../config/config.ts";
import type { Workload } from "../mesh/model.ts";
import type { MeshState } from "../mesh/state.ts";
import type { Millis, Scheduler, Timer } from "../net/network.ts";

export const WORKLOAD_WAIT: Millis = 5000;
/** Who waits for a workload that is not believed has it looked at again so often. */
const LOOK_AGAIN: Millis = 250;

/** Why the workload that the mesh names cannot be this pod's, or null where it can. */
export type Doubt = (workload: Workload) => string | null;

interface Wait {
  readonly timer: Timer;
  end(workload: Workload): void;
}

export class LocalWorkload {
  readonly #state: MeshState;
  readonly #scheduler: Scheduler;
  readonly #name: WorkloadName;
  readonly #doubt: Doubt;
  readonly #waiting = new Set<Wait>();
  readonly #unsubscribe: () => void;
  #known: Workload | null = null;
  #reason: string | null = null;
  #lookAgain: Timer | null = null;

  constructor(state: MeshState, scheduler: Scheduler, name: WorkloadName, doubt: Doubt = () => null) {
    this.#state = state;
    this.#scheduler = scheduler;
    this.#name = name;
    this.#doubt = doubt;
    this.#unsubscribe = state.subscribe({ localWorkloadsChanged: () => this.#refresh() });
  }

  /** The workload now, or null. */
  get current(): Workload | null {
    return this.#known ??= this.#find();
  }

  /** `failed to fetch information about local workload: {sa}.{ns} ({name})`, and why where there is more to say. */
  get unknownMessage(): string {
    const { name, namespace, serviceAccount } = this.#name;
    const why = this.#reason === null ? "" : `: ${this.#reason}`;
    return `failed to fetch information about local workload: ${serviceAccount}.${namespace} (${name})${why}`;
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
    if (this.#reason !== null) this.#lookAgainSoon();
    return stop;
  }

  /** Who waits is not called any more. */
  close(): void {
    this.#unsubscribe();
    this.#lookAgain?.cancel();
    for (const { timer } of this.#waiting) timer.cancel();
    this.#waiting.clear();
  }

  #find(): Workload | null {
    const { name, namespace, serviceAccount } = this.#name;
    const found = this.#state.findLocalWorkload(name, namespace, serviceAccount);
    this.#reason = found === null ? null : this.#doubt(found);
    return this.#reason === null ? found : null;
  }

  #refresh(): void {
    this.#known = this.#find();
    if (this.#known === null) {
      if (this.#reason !== null && this.#waiting.size > 0) this.#lookAgainSoon();
      return;
    }
    for (const { end } of this.#waiting) end(this.#known);
  }

  #lookAgainSoon(): void {
    this.#lookAgain ??= this.#scheduler.after(LOOK_AGAIN, () => {
      this.#lookAgain = null;
      if (this.#waiting.size > 0) this.#refresh();
    });
  }
}
