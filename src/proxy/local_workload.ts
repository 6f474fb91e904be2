/** The workload a pod's proxy serves: in the mesh state, or awaited there for a while (`docs/spec/dataplane.md` 1.4). */
import type { Millis, Timer } from "../net/clock.ts";
import type { WorkloadName } from "../config/config.ts";
import type { Workload } from "../mesh/model/model.ts";
import type { MeshState } from "../mesh/state/state.ts";
import type { Scheduler } from "../net/network.ts";

export const WORKLOAD_WAIT: Millis = 5000;
/** For an answer to a DNS question where the mesh seems to be behind, which lasts for a fraction of a second. */
const DOUBTED_WAIT: Millis = 1000;
/** Who waits for a workload that is not believed has it looked at again so often. */
const LOOK_AGAIN: Millis = 250;

/** The reason given to callers that wait for a workload that is not there. */
export interface Unknown {
  readonly kind: "unknown";
  /** Null: there is nothing to add to the fact that it is not known. */
  readonly reason: string | null;
}

/** A pod's workload, or the reason why it has none. */
export type Identified = { readonly kind: "known"; readonly workload: Workload } | Unknown;

/** Decides whether the workload that the mesh has by the pod's name (null: none) belongs to this pod. */
export type Identify = (found: Workload | null) => Identified;

const believe: Identify = (found) =>
  found === null ? { kind: "unknown", reason: null } : { kind: "known", workload: found };

interface Wait {
  readonly timer: Timer;
  end(workload: Workload): void;
}

export class LocalWorkload {
  readonly #state: MeshState;
  readonly #scheduler: Scheduler;
  readonly #name: WorkloadName;
  readonly #identify: Identify;
  readonly #waiting = new Set<Wait>();
  readonly #unsubscribe: () => void;
  #known: Workload | null = null;
  #reason: string | null = null;
  /** The mesh has a workload of this name, which cannot be this pod's. */
  #doubted = false;
  #lookAgain: Timer | null = null;

  /** `identify`: default: the workload with the pod's name is accepted. */
  constructor(state: MeshState, scheduler: Scheduler, name: WorkloadName, identify: Identify = believe) {
    this.#state = state;
    this.#scheduler = scheduler;
    this.#name = name;
    this.#identify = identify;
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

  /**
   * Where there is no workload now: how long a DNS question may wait for it. Clients give up after 5 s, so a long wait
   * looks like no answer to them. While the control plane is away, no workload can arrive.
   */
  get patience(): Millis {
    if (this.#state.freshness === "stale") return 0;
    return this.#doubted ? DOUBTED_WAIT : WORKLOAD_WAIT;
  }

  /** Without a workload now: calls back when it arrives, or with null after `limit`. The result stops the wait. */
  wait(use: (workload: Workload | null) => void, limit: Millis = WORKLOAD_WAIT): () => void {
    const end = (workload: Workload | null) => {
      stop();
      use(workload);
    };
    const timer = this.#scheduler.after(limit, () => end(null));
    const wait = { timer, end };
    const stop = () => {
      timer.cancel();
      this.#waiting.delete(wait);
    };
    this.#waiting.add(wait);
    if (this.#doubted) this.#lookAgainSoon();
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
    const identified = this.#identify(found);
    this.#reason = identified.kind === "known" ? null : identified.reason;
    this.#doubted = identified.kind === "unknown" && found !== null;
    return identified.kind === "known" ? identified.workload : null;
  }

  #refresh(): void {
    this.#known = this.#find();
    if (this.#known === null) {
      if (this.#doubted && this.#waiting.size > 0) this.#lookAgainSoon();
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
