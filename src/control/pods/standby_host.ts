/**
 * Handles pods while the certificate authority has not answered although the limit has passed (`authority_gate.ts`). A
 * pod that no proxy serves is taken, so that the network plug-in is not delayed. A pod that another proxy serves is
 * left to that proxy: the two share the pod's ports, so every other connection would arrive here and fail.
 *
 *              serve, another listens             the authority has answered, or nobody else listens any more
 *     (none) ─────────────────────────▶ standby ──────────────────────────────────────────────────────────▶ serving
 *       │                                 ▲  │ stop                                                            │
 *       │ serve                           │  ▼                                                                 │
 *       ╰──────▶ as the host does         │ ended ◀───── the host has ended it, after a stop ──────────────────┤
 *                                         ╰──────────────────────── the host failed ───────────────────────────╯
 */
import type { InstanceState } from "../../inpod/audit.ts";
import type { Pod, PodHost, Serving, ServingEvents } from "../../inpod/pod.ts";
import type { Timer } from "../../net/clock.ts";
import type { Scheduler } from "../../net/network.ts";
import type { LogScope } from "../../telemetry/log.ts";
import type { DrainMode } from "../../net/drain_mode.ts";

interface StandbyParts {
  /** The host that serves pods. */
  readonly host: PodHost;
  /** Another process listens for the pod. */
  readonly othersServe: (pod: Pod) => boolean;
  readonly scheduler: Scheduler;
  readonly log: LogScope;
}

/** ms between two checks whether the other proxy still listens. */
const CHECK_PERIOD = 5_000;

/** A host that leaves pods to another proxy while this one has no certificates. */
export class StandbyHost implements PodHost {
  readonly #parts: StandbyParts;
  /** Pods in standby and pods that were; removed when the pod ends. */
  readonly #standbys = new Set<Standby>();
  #answered = false;
  #timer: Timer | null = null;

  constructor(parts: StandbyParts) {
    this.#parts = parts;
  }

  serve(pod: Pod, events: ServingEvents): Serving {
    const { host, othersServe, scheduler, log } = this.#parts;
    if (this.#answered || !othersServe(pod)) return host.serve(pod, events);
    const { uid } = pod;
    log.info("another proxy serves the pod: it is left to that one until the certificate authority answers", { uid });
    const standby = new Standby(pod, host, scheduler, log, {
      onWaiting: () => this.#checkLater(),
      onEnded: () => {
        this.#standbys.delete(standby);
        events.onEnded();
      },
    });
    this.#standbys.add(standby);
    // For the agent the pod counts as served, because the other proxy serves it.
    scheduler.after(0, () => standby.isStopped || events.onStarted());
    this.#checkLater();
    return standby;
  }

  /** The certificate authority has answered: from now on every pod is served. */
  answered(): void {
    this.#answered = true;
    for (const standby of this.#standbys) standby.begin();
  }

  /** For audits and dumps: no worker knows these pods yet. */
  get instances(): InstanceState[] {
    return this.#waiting.map(({ pod: { uid, namespace } }) => ({
      instance: 0,
      uid,
      namespace: namespace.identity,
      up: null,
    }));
  }

  get #waiting(): Standby[] {
    return [...this.#standbys].filter(({ isWaiting }) => isWaiting);
  }

  /** Ends the checks. Pods in standby stay so. */
  close(): void {
    this.#timer?.cancel();
  }

  #checkLater(): void {
    if (this.#timer !== null) return;
    this.#timer = this.#parts.scheduler.after(CHECK_PERIOD, () => {
      this.#timer = null;
      for (const standby of this.#waiting) {
        if (this.#answered || !this.#parts.othersServe(standby.pod)) standby.begin();
      }
      if (this.#waiting.length > 0) this.#checkLater();
    });
  }
}

type State =
  | { readonly at: "standby" }
  | { readonly at: "serving"; readonly serving: Serving }
  /** `serving`: where the host serves the pod already, to be stopped first. */
  | { readonly at: "stopped"; readonly serving: Serving | null };

interface StandbyEvents {
  /** The pod is in standby again. */
  onWaiting(): void;
  onEnded(): void;
}

class Standby implements Serving {
  #state: State = { at: "standby" };

  readonly pod: Pod;
  readonly #host: PodHost;
  readonly #scheduler: Scheduler;
  readonly #log: LogScope;
  readonly #events: StandbyEvents;

  constructor(pod: Pod, host: PodHost, scheduler: Scheduler, log: LogScope, events: StandbyEvents) {
    this.pod = pod;
    this.#host = host;
    this.#scheduler = scheduler;
    this.#log = log;
    this.#events = events;
  }

  get isWaiting(): boolean {
    return this.#state.at === "standby";
  }

  get isStopped(): boolean {
    return this.#state.at === "stopped";
  }

  begin(): void {
    if (this.#state.at !== "standby") return;
    const { uid } = this.pod;
    this.#log.info("serving the pod now", { uid });
    const serving = this.#host.serve(this.pod, {
      onStarted() {},
      onFailed: (reason) => this.#log.warn(`failed to start proxy: ${reason}; trying again`, { uid }),
      onEnded: () => {
        if (this.#state.at === "stopped") return this.#events.onEnded();
        this.#state = { at: "standby" };
        this.#events.onWaiting();
      },
    });
    this.#state = { at: "serving", serving };
  }

  stop(mode: DrainMode): void {
    switch (this.#state.at) {
      case "standby":
        this.#state = { at: "stopped", serving: null };
        return void this.#scheduler.after(0, () => this.#events.onEnded());
      case "serving":
      case "stopped": {
        const { serving } = this.#state;
        this.#state = { at: "stopped", serving };
        return serving?.stop(mode);
      }
      default:
        this.#state satisfies never;
    }
  }
}
