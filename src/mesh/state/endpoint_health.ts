/**
 * Endpoints of services to which connections failed. They are set back: new connections choose among the others for a
 * while (`docs/spec/dataplane.md` 1.5.3). Each worker has its own table.
 *
 *     unknown ──failed──▶ set back ──its time is over──▶ due ──a connection begins──▶ tried
 *        ▲                   ▲                            │                             │
 *        │                   └───────────failed───────────┼─────────────────────────────┤
 *        └──────succeeded, or a minute without failure────┴──────────succeeded──────────┘
 *
 * While one connection tries an endpoint that failed before, the others still avoid it. The time grows with each failure
 * in a row. Whether a service has other endpoints is decided where the choice is made (`resolve/build_pool.ts`).
 */
import type { Clock, Millis, Timer } from "../../net/clock.ts";
import type { WorkloadUid } from "../model/model.ts";

/** After the first failure; doubles with each further one. */
const FIRST_SET_BACK: Millis = 1000;
const MAX_SET_BACK: Millis = 30_000;
/** For the connection that tries an endpoint again. Longer than an attempt, so that its result arrives before. */
const TRIAL: Millis = 5000;
/** An endpoint that was due for so long, and was not tried, counts as one that never failed. */
const RETENTION: Millis = 60_000;
/** Workloads that are remembered. Beyond, the one that failed longest ago is removed. */
const MAX_WORKLOADS = 1024;
/** Ports of each that are remembered. */
const MAX_PORTS = 16;

/** An endpoint: one port of a workload. */
interface Endpoint {
  readonly workload: { readonly uid: WorkloadUid };
  readonly port: number;
}

interface Fault {
  readonly port: number;
  /** In a row. */
  failures: number;
  /** The message of the last failure. */
  reason: string;
  at: "set back" | "due" | "tried";
  /** When it leaves this state by itself. */
  until: Millis;
}

/** The endpoints of one worker that failed lately. {@link close} ends it. */
export class EndpointHealth {
  readonly #clock: Clock;
  readonly #onChange: (uid: WorkloadUid) => void;
  /** In the order of their last failures. */
  readonly #workloads = new Map<WorkloadUid, Fault[]>();
  #timer: Timer | null = null;
  #timerAt: Millis = Infinity;

  /** `onChange`: what {@link avoidance} returns for this workload has changed. */
  constructor(clock: Clock, onChange: (uid: WorkloadUid) => void) {
    this.#clock = clock;
    this.#onChange = onChange;
  }

  /** Workloads that are remembered. */
  get size(): number {
    return this.#workloads.size;
  }

  /** Why and for how long new connections avoid the endpoint now, for people; null: they do not. */
  avoidance(uid: WorkloadUid, port: number): string | null {
    const fault = this.#find(uid, port);
    return fault === null || fault.at === "due" ? null : this.#text(fault);
  }

  /**
   * A connection to the endpoint has failed, with this error. No effect while it is set back: connections that began
   * before it was, and those that had no other choice, do not make its time longer.
   */
  failed({ workload: { uid }, port }: Endpoint, reason: string): void {
    const old = this.#find(uid, port);
    if (old?.at === "set back") return;
    const failures = (old?.failures ?? 0) + 1;
    const until = this.#clock.now() + Math.min(MAX_SET_BACK, FIRST_SET_BACK * 2 ** (failures - 1));
    const others = this.#others(uid, port);
    this.#workloads.delete(uid);
    if (this.#workloads.size >= MAX_WORKLOADS) this.#removeOldest();
    if (others.length >= MAX_PORTS) others.shift();
    this.#workloads.set(uid, [...others, { port, failures, reason, at: "set back", until }]);
    this.#changed(uid, until);
  }

  /** A connection to the endpoint begins. Where it is due, the others avoid it until that one has succeeded or failed. */
  begins({ workload: { uid }, port }: Endpoint): void {
    const fault = this.#find(uid, port);
    if (fault?.at !== "due") return;
    fault.at = "tried";
    fault.until = this.#clock.now() + TRIAL;
    this.#changed(uid, fault.until);
  }

  /** A connection to the endpoint was made. */
  succeeded({ workload: { uid }, port }: Endpoint): void {
    if (this.#find(uid, port) === null) return;
    this.#keep(uid, this.#others(uid, port));
    this.#onChange(uid);
  }

  /** The workload was changed or removed. */
  remove(uid: WorkloadUid): void {
    if (this.#workloads.size > 0) this.#workloads.delete(uid);
  }

  /** Removes all endpoints. */
  close(): void {
    this.#workloads.clear();
    this.#timer?.cancel();
    this.#timer = null;
    this.#timerAt = Infinity;
  }

  #text({ failures, reason, at, until }: Fault): string {
    const row = failures === 1 ? "a connection to it failed" : `${failures} connections to it in a row failed`;
    const seconds = (Math.ceil((until - this.#clock.now()) / 100) / 10).toFixed(1);
    const state = at === "tried" ? `one connection is trying it again` : `set back for another ${seconds} s`;
    return `${state}, as ${row}, the last one by: ${reason}`;
  }

  #changed(uid: WorkloadUid, until: Millis): void {
    this.#onChange(uid);
    this.#wakeAt(until);
  }

  #wakeAt(time: Millis): void {
    if (time >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = time;
    this.#timer = this.#clock.after(Math.max(0, time - this.#clock.now()), () => this.#wake());
  }

  /** Moves on those whose time is over. */
  #wake(): void {
    const now = this.#clock.now();
    this.#timer = null;
    this.#timerAt = Infinity;
    let next = Infinity;
    for (const [uid, faults] of this.#workloads) {
      const hasChanged = faults.some(({ at, until }) => at !== "due" && until <= now);
      this.#keep(uid, faults.filter(({ at, until }) => at !== "due" || until > now));
      for (const fault of faults) {
        if (fault.until <= now && fault.at !== "due") {
          fault.at = "due";
          fault.until = now + RETENTION;
        }
        if (fault.until > now) next = Math.min(next, fault.until);
      }
      if (hasChanged) this.#onChange(uid);
    }
    if (next < Infinity) this.#wakeAt(next);
  }

  #find(uid: WorkloadUid, port: number): Fault | null {
    if (this.#workloads.size === 0) return null;
    return this.#workloads.get(uid)?.find((fault) => fault.port === port) ?? null;
  }

  #others(uid: WorkloadUid, port: number): Fault[] {
    return (this.#workloads.get(uid) ?? []).filter((fault) => fault.port !== port);
  }

  #keep(uid: WorkloadUid, faults: Fault[]): void {
    if (faults.length === 0) this.#workloads.delete(uid);
    else this.#workloads.set(uid, faults);
  }

  #removeOldest(): void {
    for (const uid of this.#workloads.keys()) {
      this.#workloads.delete(uid);
      return this.#onChange(uid);
    }
  }
}
