/**
 * The tasks that have to complete before the process is ready (`docs/spec/config-admin.md` 5.3). Registering a task
 * again makes the process unready again.
 */
import type { Millis } from "../net/clock.ts";
import type { LogScope } from "./log.ts";
import { durationText } from "./rust_text.ts";

/** Names of tasks, as readiness responses show them. */
export type ReadinessTask =
  | "state manager"
  | "proxy"
  | "dns proxy"
  | "workload proxy manager"
  | "certificate authority"
  | "revocation lists";

/** A problem that no readiness task waits for. */
export interface Trouble {
  readonly text: string;
  /** The problem does not make the process unready, or not yet. */
  readonly ready: boolean;
}

/** Tracks pending tasks. */
export class Readiness {
  readonly #log: LogScope;
  readonly #uptime: () => Millis;
  readonly #trouble: () => Trouble | null;
  readonly #pending = new Set<ReadinessTask>();

  /** `log`: scope `ztunnel::readiness`. `uptime`: since the process began. `trouble`: called for each request. */
  constructor(log: LogScope, uptime: () => Millis, trouble: () => Trouble | null) {
    this.#log = log;
    this.#uptime = uptime;
    this.#trouble = trouble;
  }

  /** The problem to report besides pending tasks; null: none. */
  trouble(): Trouble | null {
    return this.#trouble();
  }

  /** Adds a pending task. */
  register(task: ReadinessTask) {
    this.#pending.add(task);
  }

  /** Completes a task. No effect for a task that is not pending. */
  complete(task: ReadinessTask) {
    if (!this.#pending.delete(task)) return;
    const left = this.#pending.size;
    const rest = left === 0 ? "marking server ready" : `still awaiting ${left} tasks`;
    this.#log.info(`Task '${task}' complete (${durationText(this.#uptime())}), ${rest}`);
  }

  /** Pending tasks, sorted; empty: the process is ready. */
  pending(): ReadinessTask[] {
    return [...this.#pending].sort();
  }
}
