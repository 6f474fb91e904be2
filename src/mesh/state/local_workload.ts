/** The workload of a pod, in the mesh state or awaited there for some seconds (`docs/spec/dataplane.md` 1.4). */
import type { WorkloadName } from "../../config/config.ts";
import type { Millis, Timer } from "../../net/clock.ts";
import type { Workload } from "../model/model.ts";
import type { MeshState } from "./state.ts";
import type { Scheduler } from "../../net/network.ts";

const WORKLOAD_WAIT: Millis = 5000;
/** The limit for DNS questions where the mesh has a rejected workload: it lags behind by a fraction of a second. */
const REJECTED_WAIT: Millis = 1000;
/** The interval of checks of a rejected workload, while callers wait for it. */
const CHECK_INTERVAL: Millis = 250;

/** The pod has no workload in the mesh. */
interface Unknown {
  readonly kind: "unknown";
  /** For the log, beside the fact that there is none; null: no more than that. */
  readonly reason: string | null;
}

/** A pod's workload, or the reason why it has none. */
export type Identified = { readonly kind: "known"; readonly workload: Workload } | Unknown;

/** Decides whether the workload that the mesh has by the pod's name (null: none) belongs to this pod. */
type Identify = (found: Workload | null) => Identified;

const acceptAny: Identify = (found) =>
  found === null ? { kind: "unknown", reason: null } : { kind: "known", workload: found };

interface Wait {
  readonly timer: Timer;
  end(workload: Workload): void;
}

/** The workload of one pod, kept up to date. {@link close} it with the pod. */
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
  #isRejected = false;
  #checkTimer: Timer | null = null;

  /** `identify` by default accepts the workload with the pod's name. */
  constructor(state: MeshState, scheduler: Scheduler, name: WorkloadName, identify: Identify = acceptAny) {
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
    const why = this.#reason === null ? "" : `: ${this.#reason}`;
    return `failed to fetch information about local workload: ${this.title}${why}`;
  }

  /** `{sa}.{ns} ({name})` */
  get title(): string {
    const { name, namespace, serviceAccount } = this.#name;
    return `${serviceAccount}.${namespace} (${name})`;
  }

  /**
   * How long a DNS question may wait for the workload where there is none now, in ms. Clients give up after 5 s, so a
   * long wait looks like no answer to them. While the control plane is not connected, no workload can arrive.
   */
  get dnsWaitLimit(): Millis {
    if (this.#state.freshness === "stale") return 0;
    return this.#isRejected ? REJECTED_WAIT : WORKLOAD_WAIT;
  }

  /**
   * Waits where there is no workload now: `use` is called when it arrives, or with null after `limit` ms. Never from
   * inside. Call the result to stop waiting.
   */
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
    if (this.#isRejected) this.#checkSoon();
    return stop;
  }

  /** Stops all waits; no callback follows. */
  close(): void {
    this.#unsubscribe();
    this.#checkTimer?.cancel();
    for (const { timer } of this.#waiting) timer.cancel();
    this.#waiting.clear();
  }

  #find(): Workload | null {
    const { name, namespace, serviceAccount } = this.#name;
    const found = this.#state.findLocalWorkload(name, namespace, serviceAccount);
    const identified = this.#identify(found);
    this.#reason = identified.kind === "known" ? null : identified.reason;
    this.#isRejected = identified.kind === "unknown" && found !== null;
    return identified.kind === "known" ? identified.workload : null;
  }

  #refresh(): void {
    this.#known = this.#find();
    if (this.#known === null) {
      if (this.#isRejected && this.#waiting.size > 0) this.#checkSoon();
      return;
    }
    for (const { end } of this.#waiting) end(this.#known);
  }

  #checkSoon(): void {
    this.#checkTimer ??= this.#scheduler.after(CHECK_INTERVAL, () => {
      this.#checkTimer = null;
      if (this.#waiting.size > 0) this.#refresh();
    });
  }
}
