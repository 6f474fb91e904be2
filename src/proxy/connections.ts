/**
 * The live connections of one pod: what a drain waits for, what a policy change asks again, what the dump lists
 * (`docs/spec/dataplane.md` 5).
 */
import { type Call, POLICY_CHANGED } from "../mesh/policy/authorize.ts";
import type { Workload } from "../mesh/model/model.ts";
import type { MeshState } from "../mesh/state/state.ts";
import type { SocketAddress } from "../net/address.ts";
import { inPortions, PORTION } from "../net/in_portions.ts";
import type { TurnTask } from "../net/network.ts";
import { NumberMap } from "../net/number_map.ts";
import type { Rounds } from "../net/rounds.ts";
import { CutPeers } from "./cut_peers.ts";
import { PendingDials } from "./pending_dials.ts";
import { Unproven } from "./unproven.ts";

export interface LiveConnection {
  /** Its number in {@link Connections}, which alone sets it; 0 at first. */
  registration: number;
  /** Ends at once. `message` for the log, null: a drain. */
  cut(message: string | null): void;
  /** Outbound, once it is known: for dumps. */
  readonly way?: OutboundWay | null;
}

export interface OutboundWay {
  readonly source: SocketAddress;
  /** Where the client wanted to go. */
  readonly original: SocketAddress;
  /** What was dialled. */
  readonly actual: SocketAddress;
  readonly protocol: "TCP" | "HBONE" | "DOUBLEHBONE";
}

export interface InboundConnection extends LiveConnection {
  /** {@link Connections} puts in the workload as it is now, with the policies it names. */
  call: Call;
  /** The service that the client named, for dumps. */
  readonly forwardedHost?: string | null;
}

/** Who is asked about live connections when policies or their workload change. */
export interface Reassessment {
  stillAllows(call: Call): boolean;
  /** It was allowed, is not any more, and ends now. */
  onCut(call: Call): void;
}

class Entry {
  isSocket = false;
  inbound: InboundConnection | null = null;
  constructor(readonly connection: LiveConnection) {}
}

export class Connections {
  /** By registration, so in the order of their coming. */
  readonly #entries = new NumberMap<Entry>();
  #lastRegistration = 0;
  readonly #socketGauge: { value: number };
  readonly #unsubscribe: () => void;
  #onEmpty: (() => void) | null = null;
  /** Connections that {@link cutAll} has still to cut, the youngest last; null: it was not called. */
  #toCut: LiveConnection[] | null = null;
  /** Of these, the ones added since the last portion. They are cut with the next one, so they cannot delay the end. */
  #latecomers = 0;
  /** Streams and captured connections that wait for an application to accept. */
  readonly pendingDials = new PendingDials();
  readonly unproven = new Unproven();
  readonly cutPeers = new CutPeers();

  /** `socketGauge` counts accepted sockets. */
  constructor(state: MeshState, reassessment: Reassessment, socketGauge: { value: number } = { value: 0 }) {
    this.#socketGauge = socketGauge;
    this.#unsubscribe = state.subscribe({
      policiesChanged: () => this.#reassess(() => true, reassessment),
      localWorkloadsChanged: () => this.#reassess((connection) => renew(connection, state), reassessment),
    });
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Admitted or asked about, in the order of their coming. */
  *inbound(): Generator<InboundConnection> {
    for (const { inbound } of this.#entries.values()) if (inbound !== null) yield inbound;
  }

  *outbound(): Generator<OutboundWay> {
    for (const { connection } of this.#entries.values()) if (connection.way) yield connection.way;
  }

  add(connection: LiveConnection): void {
    this.#register(connection);
  }

  /** The same for one that is an accepted socket of its own, not a stream of another one. */
  addSocket(connection: LiveConnection): void {
    this.#register(connection).isSocket = true;
    this.#socketGauge.value++;
  }

  /** Adds to {@link add} that policy changes are applied to it. */
  addInbound(connection: InboundConnection): void {
    const entry = this.#entries.get(connection.registration);
    if (entry?.connection === connection) entry.inbound = connection;
  }

  remove(connection: LiveConnection): void {
    const entry = this.#entries.get(connection.registration);
    if (entry?.connection !== connection) return;
    this.#entries.delete(connection.registration);
    if (entry.isSocket) this.#socketGauge.value--;
    if (this.#entries.size === 0) this.#onEmpty?.();
  }

  /** Calls back once, when no connection is left; at once where there is none. */
  whenEmpty(then: () => void): void {
    if (this.#entries.size === 0) return then();
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
    this.#toCut = this.#entries.values().map(({ connection }) => connection);
    const connections = this.#toCut;
    const task: TurnTask = { runTurn: () => this.#cutSome(connections, () => rounds.add(task)) };
    rounds.take(task);
  }

  /** Cuts the connections that exist now, some in each turn, in the order of {@link cutAll}. */
  cutPresent(rounds: Rounds): void {
    inPortions(rounds, this.#entries.values().map(({ connection }) => connection).reverse(), (connection) => {
      if (this.#entries.get(connection.registration)?.connection === connection) connection.cut(null);
    });
  }

  #cutSome(connections: LiveConnection[], goOn: () => void): void {
    let most = PORTION + this.#latecomers;
    this.#latecomers = 0;
    for (let next = connections.pop(); next !== undefined; next = connections.pop()) {
      // It may have ended by itself since.
      if (this.#entries.get(next.registration)?.connection === next) {
        next.cut(null);
        most--;
      }
      if (most <= 0) break;
    }
    if (connections.length > 0) goOn();
  }

  close(): void {
    this.#unsubscribe();
  }

  #register(connection: LiveConnection): Entry {
    // After two thousand million others the numbers begin again, among those that have lived as long.
    do this.#lastRegistration = (this.#lastRegistration % 0x7fffffff) + 1; while (
      this.#entries.has(this.#lastRegistration)
    );
    const entry = new Entry(connection);
    connection.registration = this.#lastRegistration;
    this.#entries.set(connection.registration, entry);
    if (this.#toCut !== null) {
      this.#toCut.push(connection);
      this.#latecomers++;
    }
    return entry;
  }

  #reassess(concerned: (connection: InboundConnection) => boolean, { stillAllows, onCut }: Reassessment): void {
    for (const { inbound: connection } of this.#entries.values()) {
      if (connection === null || !this.#entries.has(connection.registration)) continue;
      if (!concerned(connection) || stillAllows(connection.call)) continue;
      onCut(connection.call);
      connection.cut(POLICY_CHANGED);
    }
  }
}

/** Whether the workload that is called has changed. One that is gone ends with its pod, not here. */
function renew(connection: InboundConnection, state: MeshState): boolean {
  const { destination } = connection.call;
  const current = successorOf(destination, state);
  if (current === null || current === destination) return false;
  connection.call = { ...connection.call, destination: current };
  return true;
}

/** The same pod may come back under another uid: then new calls are judged by that one, and so are live ones. */
function successorOf({ uid, name, namespace, serviceAccount }: Workload, state: MeshState): Workload | null {
  return state.workload(uid) ?? state.findLocalWorkload(name, namespace, serviceAccount);
}
