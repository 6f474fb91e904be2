/**
 * The pods of this node, and how far each of them is served (`docs/spec/inpod-dns.md` A1.5 to A1.7, A1.11). No sockets
 * and no clock: the host serves, the caller has the timer for retries.
 *
 *                 add              started
 *     (unknown) ───────▶ starting ─────────▶ running ──────▶ (unknown)
 *         ▲               │    ▲              │   ▲   remove; what served it drains
 *         │ remove  failed│    │ add,         │   │
 *         │               ▼    │ retry     add│   │started; what served it before drains
 *         └────────────── pending             ▼   │
 *                                       running, and starting in another namespace
 *                                             │   ▲
 *                                       failed▼   │ add, retry
 *                                       running, and pending
 *
 * A pod that comes back in another namespace is served in the old one until the new one works: whatever happens, it is
 * never left without a proxy.
 */
import type { WorkloadName } from "../config/config.ts";
import type { DrainMode } from "../proxy/drain.ts";
import type { Pod, PodHost, PodUid, Serving } from "./pod.ts";

/** More pods than any node has. Each holds a descriptor and its listeners. */
export const MOST_PODS = 4096;

const IMMEDIATE: DrainMode = { kind: "immediate" };

/** `workload_manager_*` */
export interface PodCounters {
  readonly active: { value: number };
  readonly pending: { value: number };
  readonly started: { value: number };
  readonly stopped: { value: number };
}

export interface RegistryEvents {
  /** An `add` or `retry` that was told "starting" has ended: `error` is null where the pod is served now. */
  onOutcome(uid: PodUid, error: string | null): void;
}

/** One attempt to serve a pod, until nothing of it is left. It holds the reference to the namespace that `add` got. */
class Instance {
  serving: Serving | null = null;
  ran = false;
  /** A failure makes the pod pending. */
  insist = true;
  constructor(readonly pod: Pod) {}
}

interface Record {
  readonly uid: PodUid;
  running: Instance | null;
  starting: Instance | null;
  /** Wanted, and not possible so far. It holds a reference to its namespace. */
  pending: Pod | null;
}

export interface PodState {
  readonly uid: PodUid;
  readonly workload: WorkloadName;
  readonly state: "Up" | "Pending";
  /** Of the namespace in which it is served; null where it is not. */
  readonly namespace: string | null;
}

export class PodRegistry {
  readonly #host: PodHost;
  readonly #counters: PodCounters;
  readonly #events: RegistryEvents;
  /** By uid; a pod without anything in its record has none. */
  readonly #pods = new Map<PodUid, Record>();

  constructor(host: PodHost, counters: PodCounters, events: RegistryEvents) {
    this.#host = host;
    this.#counters = counters;
    this.#events = events;
  }

  get pendingUids(): PodUid[] {
    return [...this.#pods.values()].filter(({ pending }) => pending !== null).map(({ uid }) => uid);
  }

  /** Served now. */
  get runningUids(): PodUid[] {
    return [...this.#pods.values()].filter(({ running }) => running !== null).map(({ uid }) => uid);
  }

  get states(): PodState[] {
    return [...this.#pods.values()].map(({ uid, running, starting, pending }) => ({
      uid,
      workload: (running?.pod ?? starting?.pod ?? pending!).workload,
      state: running === null ? "Pending" : "Up",
      namespace: running?.pod.namespace.identity ?? null,
    }));
  }

  knows(uid: PodUid): boolean {
    return this.#pods.has(uid);
  }

  /**
   * Takes over the caller's reference to the namespace. "served": it is already, in that namespace; its workload stays
   * what it was (S24). "starting": `onOutcome` follows. Otherwise why not, and nothing has changed.
   */
  add(pod: Pod): "served" | "starting" | { readonly refused: string } {
    const known = this.#pods.get(pod.uid);
    if (known === undefined && this.#pods.size >= MOST_PODS) {
      pod.namespace.release();
      return { refused: `there are ${MOST_PODS} pods on this node already, the most that are served` };
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

  /** Tries a pending pod again; `onOutcome` follows. */
  retry(uid: PodUid): void {
    const record = this.#pods.get(uid);
    if (record === undefined || record.pending === null || record.starting !== null) return;
    const pod = record.pending;
    record.pending = null;
    this.#start(record, pod);
  }

  /** It is not tried any more; where it is served it stays so. */
  forgetPending(uid: PodUid): void {
    const record = this.#pods.get(uid);
    if (record === undefined) return;
    this.#dropPending(record);
    this.#changed(record);
  }

  /** Of all pods. Starts that are under way become pending neither. */
  forgetAllPending(): void {
    for (const record of [...this.#pods.values()]) {
      if (record.starting !== null) record.starting.insist = false;
      this.#dropPending(record);
      this.#changed(record);
    }
  }

  /** The pod is gone: its connections end at once. Unknown ones are gone already. Not while one of it starts. */
  remove(uid: PodUid): void {
    const record = this.#pods.get(uid);
    if (record === undefined) return;
    this.#dropPending(record);
    const { running } = record;
    record.running = null;
    running?.serving?.stop(IMMEDIATE);
    this.#changed(record);
  }

  #newRecord(uid: PodUid): Record {
    const record: Record = { uid, running: null, starting: null, pending: null };
    this.#pods.set(uid, record);
    return record;
  }

  #start(record: Record, pod: Pod): void {
    const instance = new Instance(pod);
    record.starting = instance;
    instance.serving = this.#host.serve(pod, {
      onStarted: () => this.#started(record, instance),
      onFailed: (reason) => this.#failed(record, instance, reason),
      onEnded: () => this.#ended(instance),
    });
    this.#changed(record);
  }

  #started(record: Record, instance: Instance): void {
    instance.ran = true;
    this.#counters.started.value++;
    const before = record.running;
    record.running = instance;
    record.starting = null;
    before?.serving?.stop(IMMEDIATE);
    this.#changed(record);
    this.#events.onOutcome(record.uid, null);
  }

  #failed(record: Record, instance: Instance, reason: string): void {
    record.starting = null;
    if (instance.insist) {
      instance.pod.namespace.retain();
      record.pending = instance.pod;
    }
    this.#changed(record);
    this.#events.onOutcome(record.uid, reason);
  }

  #ended(instance: Instance): void {
    if (instance.ran) this.#counters.stopped.value++;
    instance.pod.namespace.release();
  }

  #dropPending(record: Record): void {
    record.pending?.namespace.release();
    record.pending = null;
  }

  #changed(record: Record): void {
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
