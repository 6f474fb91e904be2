/** The proxy of one pod: its listeners, their connections, its pools. */
import { Pool } from "../hbone/pool.ts";
import { formatAddress, type SocketAddress } from "../net/address.ts";
import type { DrainMode } from "../net/drain_mode.ts";
import { inPortions } from "../net/in_portions.ts";
import type { Accepted, ListenAt, Listener, ListenerState } from "../net/network.ts";
import type { WorkloadUid } from "../mesh/model/model.ts";
import { bare } from "../telemetry/log_fields.ts";
import { dumpConnections, type DumpDirection, type DumpedPage, type DumpPlace } from "./connection_dump.ts";
import { Connections } from "./connections.ts";
import { drainConnections } from "./drain.ts";
import { type FlowPosition, listFlows, type OpenFlow } from "./flow_list.ts";
import { InboundConnection } from "./inbound_connection.ts";
import { OutboundConnection } from "./outbound_connection.ts";
import { PassthroughConnection } from "./passthrough_connection.ts";
import type { Component, PodContext } from "./pod_context.ts";
import { PoolLog } from "./pool_log.ts";
import { Socks5Connection } from "./socks5_connection.ts";

/** Where the pod's listeners are bound; null: not at all. */
export interface PodListeners {
  readonly inbound: ListenAt | null;
  readonly inboundPlaintext: ListenAt | null;
  readonly outbound: ListenAt | null;
  readonly socks5: ListenAt | null;
}

/** Options of one proxy. */
interface PodOptions {
  /** In the order in which its data plane takes pods. */
  readonly number: number;
  /** `ENABLE_ORIG_SRC`; null: where the listener is transparent. */
  readonly originalSource: boolean | null;
  /** Whether listeners are logged at info, which one of the isolates that share them does. */
  readonly announce: boolean;
}

/** The context without what differs between listeners. */
type PodParts = Omit<PodContext, "component" | "connections" | "settings"> & {
  settings: Omit<PodContext["settings"], "originalSource">;
};

/** One listener with its connections. */
interface Listening {
  readonly name: Component;
  readonly listener: Listener;
  readonly connections: Connections;
  readonly context: PodContext;
  readonly beginDrain: () => void;
}

/** Serves one pod until it is drained. */
export class PodProxy {
  readonly #parts: PodParts;
  readonly #components: Listening[] = [];
  readonly #pools: Pool[] = [];
  readonly #ownPorts: Set<number>;
  readonly #options: PodOptions;
  readonly #onDrained: (() => void)[] = [];
  /**
   *     running ──graceful──▶ retiring ──listeners closed──▶ draining ──last connection──▶ over
   *        └────immediate─────────┴──────immediate──────────────▲
   */
  #drain: "running" | "retiring" | "draining" | "over" = "running";

  /** Binds the listeners. Throws `ListenError`; nothing is left then. */
  constructor(parts: PodParts, listeners: PodListeners, options: PodOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#ownPorts = new Set(parts.settings.ownPorts);
    try {
      if (listeners.inbound !== null) this.#listenInbound(listeners.inbound);
      if (listeners.inboundPlaintext !== null) this.#listenPassthrough(listeners.inboundPlaintext);
      if (listeners.outbound !== null) this.#listenOutbound(listeners.outbound);
      if (listeners.socks5 !== null) this.#listenSocks5(listeners.socks5);
    } catch (error) {
      for (const { listener, connections } of this.#components) {
        listener.close();
        connections.close();
      }
      parts.local.close();
      throw error;
    }
  }

  /** The address that a listener is bound to; null: there is no such listener. */
  address(component: Component): SocketAddress | null {
    return this.#components.find(({ name }) => name === component)?.listener.local ?? null;
  }

  /** How many connections all listeners have. */
  get connectionCount(): number {
    return this.#components.reduce((sum, { connections }) => sum + connections.size, 0);
  }

  get number(): number {
    return this.#options.number;
  }

  /** The open connections behind a position, in the order of positions. */
  openFlows(after: FlowPosition | null): Generator<OpenFlow, void, undefined> {
    const { name: { namespace, name } } = this.#parts;
    const lists = this.#components.map(({ connections }) => connections);
    return listFlows({ number: this.number, name: `${namespace}/${name}` }, lists, after);
  }

  /** A page of the connections of a dump. */
  dumpConnections(direction: DumpDirection, after: DumpPlace | null): DumpedPage {
    return dumpConnections(this.#components.map(({ connections }) => connections), direction, after);
  }

  /** The state of each listener as the kernel reports it. */
  inspectListeners(): readonly ListenerState[] {
    return this.#components.map(({ listener }) => listener.inspect());
  }

  /**
   * Stops accepting, immediately or, in a graceful drain, as soon as no client is reset by that. `done` is called when
   * the last connection has ended or was cut. An immediate drain may follow a graceful one that is in progress.
   */
  drain(mode: DrainMode, done: () => void): void {
    if (this.#drain === "over") return done();
    this.#onDrained.push(done);
    if (mode.kind === "graceful") { if (this.#drain === "running") this.#retire(mode); }
    else if (this.#drain === "draining") this.#cutAll();
    else this.#beginDrain(mode);
  }

  /** Cuts the existing connections. Listeners stay open, and later connections are evaluated anew. */
  cutConnections(): void {
    for (const { connections } of this.#components) connections.cutPresent(this.#parts.loop.rounds);
  }

  #cutAll(): void {
    for (const { connections } of this.#components) connections.cutAll(this.#parts.loop.rounds);
  }

  #retire(mode: DrainMode): void {
    this.#drain = "retiring";
    if (this.#components.length === 0) return this.#beginDrain(mode);
    const retired = countdown(this.#components.length, () => this.#beginDrain(mode));
    for (const { listener } of this.#components) listener.retire(retired);
  }

  #beginDrain(mode: DrainMode): void {
    this.#drain = "draining";
    for (const { listener } of this.#components) listener.close();
    for (const pool of this.#pools) pool.drain();
    if (this.#components.length === 0) return this.#drained();
    const componentEnded = countdown(this.#components.length, () => {
      if (this.#pools.length === 0) return this.#drained();
      const poolEnded = countdown(this.#pools.length, () => this.#drained());
      // The last frames of the last streams may not be sent yet.
      for (const pool of this.#pools) pool.finish(poolEnded);
    });
    for (const { name, connections, context, beginDrain } of this.#components) {
      // Connections that are about to be cut need no GOAWAY.
      if (mode.kind === "graceful") beginDrain();
      drainConnections(context, connections, name, mode, componentEnded);
    }
  }

  #drained(): void {
    this.#drain = "over";
    this.#parts.local.close();
    for (const done of this.#onDrained) done();
    this.#onDrained.length = 0;
  }

  #listenInbound(at: ListenAt): void {
    const peers = new Set<InboundConnection>();
    this.#listen("inbound", at, (accepted, context) => {
      const peer: InboundConnection = new InboundConnection(context, accepted.duplex, () => peers.delete(peer));
      peers.add(peer);
      peer.start();
    }, () => {
      inPortions(this.#parts.loop.rounds, [...peers], (peer) => peer.drain());
    });
  }

  #listenPassthrough(at: ListenAt): void {
    this.#listen("inbound passthrough", at, (accepted, context) => {
      new PassthroughConnection(context, accepted.duplex, this.#targetOf(accepted, context)).start();
    });
  }

  #listenOutbound(at: ListenAt): void {
    const pool = this.#newPool();
    this.#listen("outbound", at, (accepted, context) => {
      new OutboundConnection(context, pool, accepted.duplex, this.#targetOf(accepted, context)).start();
    });
  }

  #listenSocks5(at: ListenAt): void {
    const pool = this.#newPool();
    this.#listen("socks5", at, (accepted, context) => {
      new Socks5Connection(context, pool, accepted.duplex).start();
    });
  }

  #newPool(): Pool {
    const { loop, state, credentials, settings, peers, wallClock, log, lines } = this.#parts;
    const { http2, dial, handshakeTimeout, responseTimeout, maxStreamsPerConnection, unusedReleaseTimeout } = settings;
    const pool = new Pool(loop, credentials, {
      http2,
      dial,
      handshakeTimeout,
      responseTimeout,
      maxStreamsPerConnection,
      unusedReleaseTimeout,
      wallClock,
      watchDestination: (uid, ip, onLost) => state.watchPlace(uid as WorkloadUid, ip, onLost),
      observer: new PoolLog(log, lines, () => loop.network.now()),
    }, peers);
    this.#pools.push(pool);
    return pool;
  }

  #listen(
    name: Component,
    at: ListenAt,
    accept: (accepted: Accepted, context: PodContext) => void,
    beginDrain: () => void = () => {},
  ): void {
    const gauge = name === "inbound" || name === "inbound passthrough"
      ? this.#parts.sockets.destination
      : this.#parts.sockets.source;
    const { state, admission, loop } = this.#parts;
    const connections = new Connections(state, admission, loop.rounds, gauge);
    const listener = loop.network.listen(at, (accepted) => accept(accepted, context));
    this.#ownPorts.add(listener.local.port);
    const context: PodContext = {
      ...this.#parts,
      component: name,
      connections,
      settings: {
        ...this.#parts.settings,
        originalSource: this.#options.originalSource ?? listener.transparent,
        ownPorts: this.#ownPorts,
      },
    };
    this.#components.push({ name, listener, connections, context, beginDrain });
    this.#logListening(name, listener);
  }

  /**
   * The address that the client connected to. With TPROXY that is the local address of the socket; else the connection was
   * not redirected (`docs/spec/dataplane.md` 1.2).
   */
  #targetOf(accepted: Accepted, { component, lines, log }: PodContext): SocketAddress {
    const original = accepted.originalDestination();
    if (original !== null) return original;
    const { local, remote } = accepted.duplex;
    const isTransparent = this.#components.find(({ name }) => name === component)?.listener.transparent === true;
    if (!isTransparent) {
      const text = "failed to read SO_ORIGINAL_DST: the connection was not redirected by iptables";
      const addresses = { peer: bare(formatAddress(remote)), local: bare(formatAddress(local)) };
      lines.warn("original destination", log.as("ztunnel::socket"), text, addresses);
    }
    return local;
  }

  #logListening(name: Component, listener: Listener): void {
    const scope = name === "inbound passthrough" ? "inbound_passthrough" : name;
    // These lines are outside of the pod's span.
    const level = this.#options.announce ? "info" : "debug";
    this.#parts.log.log.scope(`ztunnel::proxy::${scope}`)[level]("listener established", {
      address: bare(formatAddress(listener.local)),
      component: name === "inbound passthrough" ? "inbound plaintext" : name,
      transparent: listener.transparent,
    });
  }
}

/** A function that calls `then` when it is called for the `count`th time. */
function countdown(count: number, then: () => void): () => void {
  return () => {
    if (--count === 0) then();
  };
}
