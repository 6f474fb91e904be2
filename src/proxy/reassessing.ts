/**
 * Evaluates policies again for live inbound connections when policies or their workloads change, and cuts connections
 * that are no longer allowed, a portion in each turn of the event loop:
 *
 *     idle ──change──▶ a pass over the connections of this moment ──▶ idle
 *                        └──change──▶ the same, then one more pass ──────▲
 *
 * A change does not restart the pass, so changes that follow one another quickly cannot keep it from its end. Each
 * connection is evaluated with the policies of the moment of its evaluation.
 */
import type { Call } from "../mesh/policy/authorize.ts";
import type { Workload } from "../mesh/model/model.ts";
import type { MeshState } from "../mesh/state/state.ts";
import { PORTION } from "../net/in_portions.ts";
import type { TurnTask } from "../net/network.ts";
import type { Rounds } from "../net/rounds.ts";
import type { Logged } from "../telemetry/log.ts";

/** Connections that are evaluated in a turn. An evaluation takes about 1 us, a cut about 50 us. */
export const EVALUATED_PER_TURN = 256;

/** Policies do not allow a connection any more. */
export interface Denial {
  /** The reason for the log. */
  readonly message: string;
  /** The id of the decision. */
  readonly id: string;
}

/** A connection with a call. */
interface Reassessed extends Logged {
  /** Its destination is replaced by the current version of the workload, which names the policies. */
  call: Call;
  /** Ends the connection at once. */
  cut(denial: Denial): void;
}

/** How calls of live connections are evaluated. */
export interface Reassessment {
  /**
   * Evaluates a call again that was allowed. Null: it still is. Otherwise its connection is about to be cut, which is
   * logged.
   */
  reassess(call: Call, connection: Logged): Denial | null;
}

/** `workloads`: concerns only connections whose workload has changed. */
type Change = "policies" | "workloads";

/** Follows the changes of the mesh until it is closed. */
export class Reassessing<T extends Reassessed> implements TurnTask {
  readonly #state: MeshState;
  readonly #reassessment: Reassessment;
  readonly #rounds: Rounds;
  readonly #live: () => readonly T[];
  readonly #isLive: (connection: T) => boolean;
  readonly #unsubscribe: () => void;
  /** The change that the pass is for; null: there is no pass. */
  #pass: Change | null = null;
  #connections: readonly T[] = [];
  /** Index of the next connection. */
  #at = 0;
  /** The change that the next pass is for; null: none is needed. */
  #next: Change | null = null;

  /** `live`: the connections to evaluate. `isLive`: whether one of them has not ended. */
  constructor(
    state: MeshState,
    reassessment: Reassessment,
    rounds: Rounds,
    live: () => readonly T[],
    isLive: (connection: T) => boolean,
  ) {
    this.#state = state;
    this.#reassessment = reassessment;
    this.#rounds = rounds;
    this.#live = live;
    this.#isLive = isLive;
    this.#unsubscribe = state.subscribe({
      policiesChanged: () => this.#changed("policies"),
      localWorkloadsChanged: () => this.#changed("workloads"),
    });
  }

  /** Stops, also in the middle of a pass. */
  close(): void {
    this.#unsubscribe();
    this.#pass = this.#next = null;
    this.#connections = [];
  }

  #changed(what: Change): void {
    if (this.#pass === null) this.#begin(what);
    else if (this.#next !== "policies") this.#next = what;
  }

  #begin(what: Change): void {
    this.#connections = this.#live();
    this.#at = 0;
    if (this.#connections.length === 0) return;
    this.#pass = what;
    this.#rounds.take(this);
  }

  runTurn(): void {
    const connections = this.#connections;
    if (this.#at >= connections.length) return this.#passEnded();
    // Queued before the work, so that an exception does not end the pass.
    this.#rounds.add(this);
    const end = Math.min(connections.length, this.#at + EVALUATED_PER_TURN);
    for (let cuts = 0; this.#pass !== null && this.#at < end && cuts < PORTION;) {
      if (!this.#reassess(connections[this.#at++]!)) cuts++;
    }
  }

  #passEnded(): void {
    const next = this.#next;
    this.#pass = this.#next = null;
    this.#connections = [];
    if (next !== null) this.#begin(next);
  }

  /** False: the connection was cut. */
  #reassess(connection: T): boolean {
    if (!this.#isLive(connection)) return true;
    const renewed = this.#renew(connection);
    if (this.#pass === "workloads" && !renewed) return true;
    const denial = this.#reassessment.reassess(connection.call, connection);
    if (denial === null) return true;
    connection.cut(denial);
    return false;
  }

  /** Whether the call's workload has changed. Connections to one that was removed end with its pod, not here. */
  #renew(connection: T): boolean {
    const { destination } = connection.call;
    const current = successorOf(destination, this.#state);
    if (current === null || current === destination) return false;
    connection.call = { ...connection.call, destination: current };
    return true;
  }
}

/** The current version of a workload. Where the pod has another uid now, its policies apply to live calls too. */
function successorOf({ uid, name, namespace, serviceAccount }: Workload, state: MeshState): Workload | null {
  return state.workload(uid) ?? state.findLocalWorkload(name, namespace, serviceAccount);
}
