/**
 * The pods of this node and their states (`docs/spec/inpod-dns.md` A1.5 to A1.7, A1.11). It has no sockets and no clock:
 * the host serves pods, and the caller has the timer for retries.
 *
 *                 add              started
 *     (unknown) ───────▶ starting ─────────▶ running ──────▶ (unknown)
 *         ▲               │    ▲              │   ▲   remove; the instance drains
 *         │ remove  failed│    │ add,         │   │
 *         │               ▼    │ retry     add│   │started; the earlier instance drains
 *         └────────────── pending             ▼   │
 *                                       running, and starting in another namespace
 *                                             │   ▲
 *                                       failed▼   │ add, retry
 *                                       running, and pending
 *
 * A pod that is added again with another namespace is served in the old one until its listeners in the new one accept,
 * so that it is never without a proxy.
 */
import type { WorkloadName } from "../config/config.ts";
import type { DrainMode } from "../net/drain_mode.ts";
import type { Pod, PodHost, PodUid, Serving } from "./pod.ts";

/** The limit of pods, which no node reaches. Each of them has a descriptor and listeners. */
const MAX_PODS = 4096;

const IMMEDIATE: DrainMode = { kind: "immediate" };

/** The cells of the metrics `workload_manager_*`. */
export interface PodCounters {
  readonly active: { value: number };
  readonly pending: { value: number };
  readonly started: { value: number };
  readonly stopped: { value: number };
}

/** Receives outcomes of {@link PodRegistry}. */
interface RegistryEvents {
  /** An `add` that returned "starting", or a `retry`, has finished; `error`: null where the pod is served now. */
  onOutcome(uid: PodUid, error: string | null): void;
}

/** One attempt to serve a pod, until `onEnded`. It owns the reference to the namespace that `add` received. */
class Instance {
  serving: Serving | null = null;
  hasStarted = false;
  /** Whether a failure makes the pod pending. */
  isRetried = true;
  constructor(readonly pod: Pod) {}
}

interface PodRecord {
  readonly uid: PodUid;
  running: Instance | null;
  starting: Instance | null;
  /** To be retried. The record owns a reference to its namespace. */
  pending: Pod | null;
}

/** The state of a pod, for dumps and audits. */
export interface PodState {
  readonly uid: PodUid;
  readonly workload: WorkloadName;
  readonly state: "Up" | "Pending";
  /** The identity of the namespace in which it is served; null: it is not served. */
  readonly namespace: string | null;
}

/** Starts, retries and stops pods. See the picture above. */
export class PodRegistry {
  readonly #host: PodHost;
  readonly #counters: PodCounters;
  readonly #events: RegistryEvents;
  /** By uid. Empty records are deleted. */
  readonly #pods = new Map<PodUid, PodRecord>();

  constructor(host: PodHost, counters: PodCounters, events: RegistryEvents) {
    this.#host = host;
    this.#counters = counters;
    this.#events = events;
  }

  /** The pods that wait for a retry. */
  get pendingUids(): PodUid[] {
    return [...this.#pods.values()].filter(({ pending }) => pending !== null).map(({ uid }) => uid);
  }

  /** The pods that are served. */
  get runningUids(): PodUid[] {
    return [...this.#pods.values()].filter(({ running }) => running !== null).map(({ uid }) => uid);
  }

  /** The states of all pods. */
  get states(): PodState[] {
    return [...this.#pods.values()].map(({ uid, running, starting, pending }) => ({
      uid,
      workload: (running?.pod ?? starting?.pod ?? pending!).workload,
      state: running === null ? "Pending" : "Up",
      namespace: running?.pod.namespace.identity ?? null,
    }));
  }

  /** Returns whether the pod is served, starting or pending. */
  has(uid: PodUid): boolean {
    return this.#pods.has(uid);
  }

  /**
   * Adds a pod; takes over the caller's reference to the namespace. "served": it is served in that namespace already, and
   * keeps its workload (`docs/spec/inpod-dns.md` S24). "starting": `onOutcome` follows. `refused`: nothing has changed.
   */
  add(pod: Pod): "served" | "starting" | { readonly refused: string } {
    const known = this.#pods.get(pod.uid);
    if (known === undefined && this.#pods.size >= MAX_PODS) {
      pod.namespace.release();
      return { refused: `there are ${MAX_PODS} pods on this node already, the most that are served` };
    }
    const record = known ?? this.#newRecord(pod.uid);
    this.#dropPending(record);
    if (record.running?.pod.namespace.identity === pod.namespace.identity) {
      pod.namespace.release();
      this.#changed(record);
      return "served";
    }
    this.#start(record, pod);
    return "starting";
  }

  /** Starts a pending pod again; `onOutcome` follows. */
  retry(uid: PodUid): void {
    const record = this.#pods.get(uid);
    if (record === undefined || record.pending === null || record.starting !== null) return;
    const pod = record.pending;
    record.pending = null;
    this.#start(record, pod);
  }

  /** Cancels the retries of a pod. If it is served, it stays so. */
  cancelRetry(uid: PodUid): void {
    const record = this.#pods.get(uid);
    if (record === undefined) return;
    this.#dropPending(record);
    this.#changed(record);
  }

  /** Cancels the retries of all pods, also of those that are starting. */
  cancelAllRetries(): void {
    for (const record of [...this.#pods.values()]) {
      if (record.starting !== null) record.starting.isRetried = false;
      this.#dropPending(record);
      this.#changed(record);
    }
  }

  /** Stops serving a pod; its connections are closed at once. Ignores unknown pods. Must not be called while it starts. */
  remove(uid: PodUid): void {
    const record = this.#pods.get(uid);
    if (record === undefined) return;
    this.#dropPending(record);
    const { running } = record;
    record.running = null;
    running?.serving?.stop(IMMEDIATE);
    this.#changed(record);
  }

  #newRecord(uid: PodUid): PodRecord {
    const record: PodRecord = { uid, running: null, starting: null, pending: null };
    this.#pods.set(uid, record);
    return record;
  }

  #start(record: PodRecord, pod: Pod): void {
    const instance = new Instance(pod);
    record.starting = instance;
    instance.serving = this.#host.serve(pod, {
      onStarted: () => this.#started(record, instance),
      onFailed: (reason) => this.#failed(record, instance, reason),
      onEnded: () => this.#ended(instance),
    });
    this.#changed(record);
  }

  #started(record: PodRecord, instance: Instance): void {
    instance.hasStarted = true;
    this.#counters.started.value++;
    const before = record.running;
    record.running = instance;
    record.starting = null;
    before?.serving?.stop(IMMEDIATE);
    this.#changed(record);
    this.#events.onOutcome(record.uid, null);
  }

  #failed(record: PodRecord, instance: Instance, reason: string): void {
    record.starting = null;
    if (instance.isRetried) {
      instance.pod.namespace.retain();
      record.pending = instance.pod;
    }
    this.#changed(record);
    this.#events.onOutcome(record.uid, reason);
  }

  #ended(instance: Instance): void {
    if (instance.hasStarted) this.#counters.stopped.value++;
    instance.pod.namespace.release();
  }

  #dropPending(record: PodRecord): void {
    record.pending?.namespace.release();
    record.pending = null;
  }

  #changed(record: PodRecord): void {
    if (record.running === null && record.starting === null && record.pending === null) this.#pods.delete(record.uid);
    let active = 0, pending = 0;
    for (const pod of this.#pods.values()) {
      if (pod.running !== null) active++;
      if (pod.pending !== null) pending++;
    }
    this.#counters.active.value = active;
    this.#counters.pending.value = pending;
  }
}
