/**
 * The live connections of one pod: what a drain waits for, what a policy change asks again, what the dump lists
 * (`docs/spec/dataplane.md` 5).
 */
import { authorize, type Call, POLICY_CHANGED, type UnknownPolicies } from "../mesh/authorize.ts";
import type { MeshState } from "../mesh/state.ts";

export interface LiveConnection {
  /** Ends at once. `message` for the log, null: a drain. */
  cut(message: string | null): void;
}

export interface InboundConnection extends LiveConnection {
  /** As it was when the connection was admitted: later changes of the workload alone do not matter. */
  readonly call: Call;
}

export class Connections {
  readonly #all = new Set<LiveConnection>();
  readonly #inbound = new Set<InboundConnection>();
  readonly #sockets = new Set<LiveConnection>();
  readonly #socketGauge: { value: number };
  readonly #unsubscribe: () => void;
  #onEmpty: (() => void) | null = null;
  /** Streams that wait for an application to accept. */
  pendingDials = 0;

  /** `onCut` is told of each connection that a policy change ended. `socketGauge` counts accepted sockets. */
  constructor(state: MeshState, onCut: (call: Call) => void, socketGauge: { value: number } = { value: 0 }) {
    this.#socketGauge = socketGauge;
    this.#unsubscribe = state.subscribe({
      policiesChanged: () => this.#reauthorize(state, "skip", onCut),
    });
  }

  get size(): number {
    return this.#all.size;
  }

  add(connection: LiveConnection): void {
    this.#all.add(connection);
  }

  /** The same for one that is an accepted socket of its own, not a stream of another one. */
  addSocket(connection: LiveConnection): void {
    this.add(connection);
    this.#sockets.add(connection);
    this.#socketGauge.value++;
  }

  /** Adds to {@link add} that policy changes are applied to it. */
  addInbound(connection: InboundConnection): void {
    this.#inbound.add(connection);
  }

  remove(connection: LiveConnection): void {
    this.#inbound.delete(connection as InboundConnection);
    if (this.#sockets.delete(connection)) this.#socketGauge.value--;
    if (this.#all.delete(connection) && this.#all.size === 0) this.#onEmpty?.();
  }

  /** Calls back once, when no connection is left; at once where there is none. */
  whenEmpty(then: () => void): void {
    if (this.#all.size === 0) return then();
    this.#onEmpty = () => {
      this.#onEmpty = null;
      then();
    };
  }

  /** The youngest first: so streams before the tunnel they came by, each with its own record. */
  cutAll(): void {
    for (const connection of [...this.#all].reverse()) connection.cut(null);
  }

  close(): void {
    this.#unsubscribe();
  }

  #reauthorize(state: MeshState, unknown: UnknownPolicies, onCut: (call: Call) => void): void {
    for (const connection of [...this.#inbound]) {
      if (!this.#inbound.has(connection) || authorize(state, connection.call, unknown).allow) continue;
      onCut(connection.call);
      connection.cut(POLICY_CHANGED);
    }
  }
}
