/**
 * The live connections of one listener: a drain waits for their end, changes of policies apply to them, and dumps list
 * them (`docs/spec/dataplane.md` 5).
 */
import type { Call } from "../mesh/policy/authorize.ts";
import type { OutboundRoute } from "../mesh/resolve/outbound.ts";
import type { MeshState } from "../mesh/state/state.ts";
import type { SocketAddress } from "../net/address.ts";
import type { Millis } from "../net/clock.ts";
import { inPortions, PORTION } from "../net/in_portions.ts";
import type { TurnTask } from "../net/network.ts";
import { NumberMap } from "../net/number_map.ts";
import type { Rounds } from "../net/rounds.ts";
import type { FlowParts } from "../telemetry/flow.ts";
import type { Logged } from "../telemetry/log.ts";
import { CutPeers } from "./cut_peers.ts";
import { PendingDials } from "./pending_dials.ts";
import { type Denial, Reassessing, type Reassessment } from "./reassessing.ts";
import { Unproven } from "./unproven.ts";

/** A connection as {@link Connections} keeps it. */
export interface LiveConnection extends Logged {
  /** Its number in {@link Connections}, which alone sets it; 0 at first. */
  registration: number;
  /** Whether it is an accepted socket of its own, not a stream of another connection. */
  readonly isSocket: boolean;
  /**
   * The call of an application of the pod, to which changes of policies apply; null: none, or not evaluated yet.
   * {@link Connections} puts in the workload as it is now, with the policies it names.
   */
  call: Call | null;
  /** For dumps: the addresses of an outbound connection; null before its route is known. */
  readonly way: OutboundWay | null;
  /** For dumps: the service that the client of an inbound connection named. */
  readonly forwardedHost: string | null;
  /** For dumps: one side has sent its end, the other one may go on. */
  readonly isHalfClosed: boolean;
  /** For the list that is logged before a drain cuts; null: it carries streams, which are listed instead of it. */
  readonly summary: ConnectionSummary | null;
  /** For tables; null: it carries streams, which are shown instead of it. */
  readonly flow: FlowParts | null;
  /** Ends the connection at once. `denial`: the decision of the policies; null: a drain. */
  cut(denial: Denial | null): void;
}

/** A connection with a call. */
export interface LiveCall extends LiveConnection {
  call: Call;
}

/** What a drain logs about a connection that it is about to cut. */
export interface ConnectionSummary {
  readonly source: SocketAddress;
  readonly destination: SocketAddress;
  /** The hostname of the service; null: none, or not known yet. */
  readonly service: string | null;
  /** By the clock of the network. */
  readonly startedAt: Millis;
}

/** The addresses of an outbound connection. */
export interface OutboundWay {
  readonly source: SocketAddress;
  /** The address that the client connected to. */
  readonly original: SocketAddress;
  /** The address that was dialled. */
  readonly actual: SocketAddress;
  readonly protocol: "TCP" | "HBONE" | "DOUBLEHBONE";
  readonly leadsTo: OutboundRoute["leadsTo"];
}

/** The live connections of one listener, with the limits that apply to all of them. */
export class Connections {
  /** By registration, which is the order of their arrival. */
  readonly #connections = new NumberMap<LiveConnection>();
  #lastRegistration = 0;
  readonly #socketGauge: { value: number };
  readonly #reassessing: Reassessing<LiveCall>;
  #onEmpty: (() => void) | null = null;
  /** Connections that {@link cutAll} has not cut yet, the youngest last; null: it was not called. */
  #toCut: LiveConnection[] | null = null;
  /** How many of these were added after the last portion. They are cut in the next one, so as not to delay the end. */
  #addedMeanwhile = 0;
  /** Dials of applications in flight. */
  readonly pendingDials = new PendingDials();
  /** Peers whose handshake is not complete. */
  readonly unproven = new Unproven();
  /** Identities whose connection broke a limit. */
  readonly cutPeers = new CutPeers();

  /** `rounds`: the turns in which changes of policies are applied. `socketGauge`: counts accepted sockets. */
  constructor(
    state: MeshState,
    reassessment: Reassessment,
    rounds: Rounds,
    socketGauge: { value: number } = { value: 0 },
  ) {
    this.#socketGauge = socketGauge;
    const live = () => [...this.inbound()];
    this.#reassessing = new Reassessing(state, reassessment, rounds, live, (connection) => this.has(connection));
  }

  get size(): number {
    return this.#connections.size;
  }

  /** Connections with a call, in the order of their arrival. */
  *inbound(): Generator<LiveCall> {
    for (const connection of this.#connections.values()) if (hasCall(connection)) yield connection;
  }

  /** The connections that exist now, in the order of their arrival. */
  present(): readonly LiveConnection[] {
    return this.#connections.values();
  }

  /** Returns whether `connection` has not ended. */
  has(connection: LiveConnection): boolean {
    return this.#connections.get(connection.registration) === connection;
  }

  /** Registers a new connection. */
  add(connection: LiveConnection): void {
    // After 2^31 connections the numbers begin again; numbers of connections that are still live are skipped.
    do this.#lastRegistration = (this.#lastRegistration % 0x7fffffff) + 1; while (
      this.#connections.has(this.#lastRegistration)
    );
    connection.registration = this.#lastRegistration;
    this.#connections.set(connection.registration, connection);
    if (connection.isSocket) this.#socketGauge.value++;
    if (this.#toCut !== null) {
      this.#toCut.push(connection);
      this.#addedMeanwhile++;
    }
  }

  /** Removes a connection that has ended. Idempotent. */
  remove(connection: LiveConnection): void {
    if (!this.has(connection)) return;
    this.#connections.delete(connection.registration);
    if (connection.isSocket) this.#socketGauge.value--;
    if (this.#connections.size === 0) this.#onEmpty?.();
  }

  /** Calls `then` once, when no connection is left; at once where there is none. */
  whenEmpty(then: () => void): void {
    if (this.#connections.size === 0) return then();
    this.#onEmpty = () => {
      this.#onEmpty = null;
      then();
    };
  }

  /**
   * Cuts all connections, some in each turn, and those that are added meanwhile. The youngest are first, so that
   * streams are cut before the connection that carries them, each with its own log record. Idempotent.
   */
  cutAll(rounds: Rounds): void {
    if (this.#toCut !== null) return;
    this.#toCut = this.#connections.values();
    const connections = this.#toCut;
    const task: TurnTask = { runTurn: () => this.#cutPortion(connections, () => rounds.add(task)) };
    rounds.take(task);
  }

  /** Cuts the connections that exist now, some in each turn, in the order of {@link cutAll}. */
  cutPresent(rounds: Rounds): void {
    inPortions(rounds, this.#connections.values().reverse(), (connection) => {
      if (this.has(connection)) connection.cut(null);
    });
  }

  #cutPortion(connections: LiveConnection[], continueLater: () => void): void {
    let most = PORTION + this.#addedMeanwhile;
    this.#addedMeanwhile = 0;
    for (let next = connections.pop(); next !== undefined; next = connections.pop()) {
      // It may have ended by itself meanwhile.
      if (this.has(next)) {
        next.cut(null);
        most--;
      }
      if (most <= 0) break;
    }
    if (connections.length > 0) continueLater();
  }

  /** Stops following changes of policies. */
  close(): void {
    this.#reassessing.close();
  }
}

function hasCall(connection: LiveConnection): connection is LiveCall {
  return connection.call !== null;
}
