/**
 * Asks again about live inbound connections when policies or their workloads change, and cuts those that are no longer
 * allowed, a portion in each turn of the event loop:
 *
 *     idle ──change──▶ a pass over the connections that are there ──▶ idle
 *                        └──change──▶ the same, then one more pass ──────▲
 *
 * A change does not begin a pass anew, so changes that follow one another quickly cannot keep the last connections
 * from their turn. Each connection is asked about with the policies of the moment at which it is asked about.
 */
import { type Call, POLICY_CHANGED } from "../mesh/policy/authorize.ts";
import type { Workload } from "../mesh/model/model.ts";
import type { MeshState } from "../mesh/state/state.ts";
import { PORTION } from "../net/in_portions.ts";
import type { TurnTask } from "../net/network.ts";
import type { Rounds } from "../net/rounds.ts";

/** Connections that are asked about in a turn. To ask takes about a microsecond, to cut fifty times as long. */
export const ASKED_PER_TURN = 256;

export interface Reassessed {
  /** Gets the workload as it is now, with the policies that it names. */
  call: Call;
  /** Ends at once. `message` is for the log. */
  cut(message: string | null): void;
}

/** Who is asked about live connections when policies or their workload change. */
export interface Reassessment {
  stillAllows(call: Call): boolean;
  /** It was allowed, is not any more, and ends now. */
  onCut(call: Call): void;
}

/** `workloads`: concerns only connections whose workload has changed. */
type Change = "policies" | "workloads";

export class Reassessing<T extends Reassessed> implements TurnTask {
  readonly #state: MeshState;
  readonly #reassessment: Reassessment;
  readonly #rounds: Rounds;
  readonly #live: () => readonly T[];
  readonly #isLive: (connection: T) => boolean;
  readonly #unsubscribe: () => void;
  /** What the pass is about; null: there is no pass. */
  #pass: Change | null = null;
  #connections: readonly T[] = [];
  /** Index of the next connection. */
  #at = 0;
  /** What the next pass will be about; null: none is needed. */
  #next: Change | null = null;

  /** `live`: the connections to ask about; `isLive`: whether one of them is still there. */
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
    // Before the work, so that an error does not end the pass.
    this.#rounds.add(this);
    const end = Math.min(connections.length, this.#at + ASKED_PER_TURN);
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

  /** False: it was cut. */
  #reassess(connection: T): boolean {
    if (!this.#isLive(connection)) return true;
    const renewed = this.#renew(connection);
    if (this.#pass === "workloads" && !renewed) return true;
    if (this.#reassessment.stillAllows(connection.call)) return true;
    this.#reassessment.onCut(connection.call);
    connection.cut(POLICY_CHANGED);
    return false;
  }

  /** Whether the workload that is called has changed. One that is gone ends with its pod, not here. */
  #renew(connection: T): boolean {
    const { destination } = connection.call;
    const current = successorOf(destination, this.#state);
    if (current === null || current === destination) return false;
    connection.call = { ...connection.call, destination: current };
    return true;
  }
}

/** The same pod may come back under another uid: then new calls are judged by that one, and so are live ones. */
function successorOf({ uid, name, namespace, serviceAccount }: Workload, state: MeshState): Workload | null {
  return state.workload(uid) ?? state.findLocalWorkload(name, namespace, serviceAccount);
}
