/**
 * The live connections of one pod: what a drain waits for, what a policy change asks again, what the dump lists
 * (`docs/spec/dataplane.md` 5).
 */
import type { Call } from "../mesh/policy/authorize.ts";
import type { MeshState } from "../mesh/state/state.ts";
import type { SocketAddress } from "../net/address.ts";
import { inPortions, PORTION } from "../net/in_portions.ts";
import type { TurnTask } from "../net/network.ts";
import { NumberMap } from "../net/number_map.ts";
import type { Rounds } from "../net/rounds.ts";
import { CutPeers } from "./cut_peers.ts";
import { PendingDials } from "./pending_dials.ts";
import { Reassessing, type Reassessment } from "./reassessing.ts";
import { Unproven } from "./unproven.ts";

export interface LiveConnection {
  /** Its number in {@link Connections}, which alone sets it; 0 at first. */
  registration: number;
  /** Whether it is an accepted socket of its own, not a stream of another connection. */
  readonly isSocket: boolean;
  /**
   * The call of an application of the pod, to which changes of policies apply; null: none, or not evaluated yet.
   * {@link Connections} puts in the workload as it is now, with the policies it names.
   */
  call: Call | null;
  /** Outbound, once it is known: for dumps. */
  readonly way: OutboundWay | null;
  /** Inbound, the service that the client named: for dumps. */
  readonly forwardedHost: string | null;
  /** Ends at once. `message` for the log, null: a drain. */
  cut(message: string | null): void;
}

/** A connection with a call. */
export interface LiveCall extends LiveConnection {
  call: Call;
}

export interface OutboundWay {
  readonly source: SocketAddress;
  /** Where the client wanted to go. */
  readonly original: SocketAddress;
  /** What was dialled. */
  readonly actual: SocketAddress;
  readonly protocol: "TCP" | "HBONE" | "DOUBLEHBONE";
}

export class Connections {
  /** By registration, so in the order of their coming. */
  readonly #connections = new NumberMap<LiveConnection>();
  #lastRegistration = 0;
  readonly #socketGauge: { value: number };
  readonly #reassessing: Reassessing<LiveCall>;
  #onEmpty: (() => void) | null = null;
  /** Connections that {@link cutAll} has still to cut, the youngest last; null: it was not called. */
  #toCut: LiveConnection[] | null = null;
  /** Of these, the ones added since the last portion. They are cut with the next one, so they cannot delay the end. */
  #latecomers = 0;
  /** Streams and captured connections that wait for an application to accept. */
  readonly pendingDials = new PendingDials();
  readonly unproven = new Unproven();
  readonly cutPeers = new CutPeers();

  /** `rounds`: in which changes of policies are applied; `socketGauge` counts accepted sockets. */
  constructor(
    state: MeshState,
    reassessment: Reassessment,
    rounds: Rounds,
    socketGauge: { value: number } = { value: 0 },
  ) {
    this.#socketGauge = socketGauge;
    const live = () => [...this.inbound()];
    this.#reassessing = new Reassessing(state, reassessment, rounds, live, (connection) => this.#has(connection));
  }

  get size(): number {
    return this.#connections.size;
  }

  /** Admitted or asked about, in the order of their coming. */
  *inbound(): Generator<LiveCall> {
    for (const connection of this.#connections.values()) if (hasCall(connection)) yield connection;
  }

  *outbound(): Generator<OutboundWay> {
    for (const { way } of this.#connections.values()) if (way !== null) yield way;
  }

  add(connection: LiveConnection): void {
    // After two thousand million others the numbers begin again, among those that have lived as long.
    do this.#lastRegistration = (this.#lastRegistration % 0x7fffffff) + 1; while (
      this.#connections.has(this.#lastRegistration)
    );
    connection.registration = this.#lastRegistration;
    this.#connections.set(connection.registration, connection);
    if (connection.isSocket) this.#socketGauge.value++;
    if (this.#toCut !== null) {
      this.#toCut.push(connection);
      this.#latecomers++;
    }
  }

  remove(connection: LiveConnection): void {
    if (!this.#has(connection)) return;
    this.#connections.delete(connection.registration);
    if (connection.isSocket) this.#socketGauge.value--;
    if (this.#connections.size === 0) this.#onEmpty?.();
  }

  /** Calls back once, when no connection is left; at once where there is none. */
  whenEmpty(then: () => void): void {
    if (this.#connections.size === 0) return then();
    this.#onEmpty = () => {
      this.#onEmpty = null;
      then();
    };
  }

  /**
   * Cuts all connections, some in each turn, and those that are added meanwhile. The youngest come first, so that
   * streams are cut before their tunnel, each with its own log record. Idempotent.
   */
  cutAll(rounds: Rounds): void {
    if (this.#toCut !== null) return;
    this.#toCut = this.#connections.values();
    const connections = this.#toCut;
    const task: TurnTask = { runTurn: () => this.#cutSome(connections, () => rounds.add(task)) };
    rounds.take(task);
  }

  /** Cuts the connections that exist now, some in each turn, in the order of {@link cutAll}. */
  cutPresent(rounds: Rounds): void {
    inPortions(rounds, this.#connections.values().reverse(), (connection) => {
      if (this.#has(connection)) connection.cut(null);
    });
  }

  #cutSome(connections: LiveConnection[], goOn: () => void): void {
    let most = PORTION + this.#latecomers;
    this.#latecomers = 0;
    for (let next = connections.pop(); next !== undefined; next = connections.pop()) {
      // It may have ended by itself since.
      if (this.#has(next)) {
        next.cut(null);
        most--;
      }
      if (most <= 0) break;
    }
    if (connections.length > 0) goOn();
  }

  close(): void {
    this.#reassessing.close();
  }

  #has(connection: LiveConnection): boolean {
    return this.#connections.get(connection.registration) === connection;
  }
}

function hasCall(connection: LiveConnection): connection is LiveCall {
  return connection.call !== null;
}
