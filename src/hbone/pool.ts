/**
 * Connections to peers, which the tunnels of one pod share (`docs/spec/dataplane.md` 3).
 *
 * Requests that differ in source identity, source address, destination or expected identities never share a connection:
 * all are in the key. For each key one connection is made at a time, unless more requests wait than it can carry. When
 * it fails, all waiting requests fail (the Rust ztunnel lets them try one after the other: recorded there as a defect).
 * Requests that come after a failed attempt wait for the next one, which `dial_backoff.ts` delays by at most a second.
 *
 * When the mesh takes the address from the destination workload, its connections end with their last stream and take no
 * new one, and requests that wait for a connection fail: whoever has the address now must not get them.
 */
import type { KnownPeers } from "../identity/known_peers.ts";
import type { Millis, Timer } from "../net/clock.ts";
import { inPortions } from "../net/in_portions.ts";
import { ClientConnection } from "./client_connection.ts";
import type { Credentials } from "./credentials.ts";
import { DialBackoff } from "./dial_backoff.ts";
import {
  connectTimeout,
  destinationLost,
  poolClosed,
  recentFailure,
  tooManyWaiting,
  type TunnelFailure,
} from "./failure.ts";
import type { HboneLoop } from "./hbone_loop.ts";
import { NestedTunnel } from "./nested_tunnel.ts";
import { type ConnectProgress, OpeningTunnel, type TunnelEvents } from "./opening_tunnel.ts";
import { keyOf, type PoolKey, PoolTable, textOf } from "./pool_key.ts";
import type { PoolSettings } from "./pool_settings.ts";
import { Spread } from "./spread.ts";
import type { NestedRequest, TunnelRequest } from "./tunnel_request.ts";

/** For the last frames of all connections. */
const FLUSH_TIMEOUT: Millis = 1000;
/**
 * How long a connection may be unused where its key has others; one unused connection stays for `unusedReleaseTimeout`.
 */
const SURPLUS_TIMEOUT: Millis = 2000;
/** Requests that may wait for a connection to one peer to which the last attempt has failed. */
const MAX_WAITING = 4096;

/** The connections and waiting requests of one key. */
interface PeerConnections {
  readonly key: PoolKey;
  /** The same as a text, for {@link DialBackoff}. */
  readonly text: string;
  readonly connections: ClientConnection[];
  /** Requests that wait for a connection, in the order of their arrival. */
  readonly waiting: Set<OpeningTunnel>;
  /** Number of connections that are being made. */
  readonly connecting: Set<ClientConnection>;
  /** Set after a failed attempt while requests wait for the next one. */
  backoffTimer: Timer | null;
  /** Null: no bulk has moved over a long round trip. */
  spread: Spread<ClientConnection> | null;
  /** Set while there are several connections. */
  surplusTimer: Timer | null;
  /** The destination no longer has the address: no request may be placed here or repeated. */
  isLost: boolean;
  /** Ends the watch of the destination. Idempotent. */
  unwatch: () => void;
}

/** The pool of one pod. */
export class Pool {
  readonly #loop: HboneLoop;
  readonly #credentials: Credentials;
  readonly #settings: PoolSettings;
  readonly #peers: KnownPeers;
  readonly #entries = new PoolTable<PeerConnections>();
  /** Open and connecting. */
  readonly #all = new Set<ClientConnection>();
  readonly #backoff: DialBackoff;
  #draining = false;
  #onDrained: (() => void) | null = null;

  constructor(loop: HboneLoop, credentials: Credentials, settings: PoolSettings, peers: KnownPeers) {
    this.#loop = loop;
    this.#credentials = credentials;
    this.#settings = settings;
    this.#peers = peers;
    this.#backoff = new DialBackoff(loop.network, loop.random);
  }

  /** Number of open and connecting connections. */
  get size(): number {
    return this.#all.size;
  }

  /** Number of keys with a connection or a waiting request. */
  get keys(): number {
    return this.#entries.size;
  }

  /**
   * Sends a CONNECT on a connection with the right key, which is made if there is none. `abort` the result to cancel
   * it. Events may be called before this returns.
   */
  request(request: TunnelRequest, events: TunnelEvents): OpeningTunnel {
    const { responseTimeout } = this.#settings;
    const first = this.#entry(request);
    const tunnel: OpeningTunnel = new OpeningTunnel(this.#loop.network, responseTimeout, request.headers, events, {
      placeAgain: () => {
        if (this.#draining || first.isLost) return false;
        this.#place(tunnel, this.#entry(request), request);
        return true;
      },
      onSettled: () => this.#entries.get(request)?.waiting.delete(tunnel),
      progress: () => this.#progressOf(request),
      hasAlternatives: request.hasAlternatives,
    });
    this.#place(tunnel, first, request);
    return tunnel;
  }

  /**
   * The same through a second tunnel inside the first; the second one is not shared. `abort` the result in every case.
   */
  requestNested(request: NestedRequest, events: TunnelEvents): NestedTunnel {
    const parts = { loop: this.#loop, credentials: this.#credentials, settings: this.#settings, peers: this.#peers };
    const tunnel = new NestedTunnel(parts, request, events);
    tunnel.start((outer) => this.request(request.outer, outer));
    return tunnel;
  }

  #place(tunnel: OpeningTunnel, entry: PeerConnections, request: TunnelRequest): void {
    const connection = entry.spread === null
      ? entry.connections.find((candidate) => this.#hasRoom(candidate))
      : entry.spread.choose(entry.connections.filter((candidate) => this.#hasRoom(candidate)));
    if (connection !== undefined && tunnel.openOn(connection)) return;
    const failure = this.#reasonNotToWait(entry, request);
    if (failure !== null) {
      tunnel.fail(failure);
      return this.#removeIfUnused(entry);
    }
    entry.waiting.add(tunnel);
    if (request.connectTimeout !== null) tunnel.awaitConnection(request.connectTimeout);
    this.#connectIfNeeded(entry);
  }

  /** How far the connection has come that the requests of a key wait for. */
  #progressOf(key: PoolKey): ConnectProgress {
    const connecting = [...this.#entries.get(key)?.connecting ?? []];
    if (connecting.some((connection) => connection.isHandshaking)) return "handshaking";
    const isWaiting = connecting.length > 0 && connecting.every((connection) => connection.isAwaitingCredential);
    return isWaiting ? "awaiting credential" : "connecting";
  }

  /** Why a request fails at once in place of waiting for a connection; null: it waits. */
  #reasonNotToWait({ text, waiting, connecting }: PeerConnections, request: TunnelRequest): TunnelFailure | null {
    const last = this.#backoff.lastFailure(text);
    if (request.hasAlternatives && connecting.values().some((connection) => connection.isUnanswered)) {
      return connectTimeout(false);
    }
    if (last === null) return null;
    if (waiting.size >= MAX_WAITING) return tooManyWaiting(waiting.size);
    const isNextAttempt = connecting.size === 0 && this.#backoff.wait(text) === 0;
    return request.hasAlternatives && !isNextAttempt ? recentFailure(last) : null;
  }

  /**
   * Connects where more requests wait than the connections that are being made can carry. While attempts fail, only one
   * is made at a time, after a wait.
   */
  #connectIfNeeded(entry: PeerConnections): void {
    const { text, waiting, connecting } = entry;
    if (waiting.size <= connecting.size * this.#settings.maxStreamsPerConnection) return;
    if (!this.#backoff.isFailing(text)) return this.#connect(entry);
    if (connecting.size > 0 || entry.backoffTimer !== null) return;
    const wait = this.#backoff.wait(text);
    if (wait === 0) return this.#connect(entry);
    entry.backoffTimer = this.#loop.network.after(wait, () => {
      entry.backoffTimer = null;
      this.#connectIfNeeded(entry);
      this.#removeIfUnused(entry);
    });
  }

  /** Sends GOAWAY on all connections, some in each turn; they end with their last stream. */
  drain(): void {
    this.#draining = true;
    inPortions(this.#loop.rounds, [...this.#all], (connection) => {
      if (this.#all.has(connection)) connection.drain();
    });
  }

  /** Called when no streams are left: sends the last frames, for a second at most, then calls `done`. */
  finish(done: () => void): void {
    this.drain();
    this.#clearEntries();
    for (const connection of [...this.#all]) if (connection.isConnecting) this.#end(connection);
    if (this.#all.size === 0) return done();
    const timer = this.#loop.network.after(FLUSH_TIMEOUT, () => this.#endAll());
    this.#onDrained = () => {
      timer.cancel();
      done();
    };
  }

  /** Ends every connection at once. */
  close(): void {
    for (const connection of [...this.#all]) this.#end(connection);
    for (const { waiting } of this.#entries.values()) {
      for (const tunnel of [...waiting]) tunnel.fail(poolClosed());
    }
    this.#clearEntries();
  }

  /** The same for a pool without streams: some connections in each turn. */
  #endAll(): void {
    inPortions(this.#loop.rounds, [...this.#all], (connection) => {
      if (this.#all.has(connection)) this.#end(connection);
    });
  }

  #entry(request: TunnelRequest): PeerConnections {
    const existing = this.#entries.get(request);
    if (existing !== undefined) return existing;
    const key = keyOf(request), { destination, peer } = key;
    const entry: PeerConnections = {
      key,
      text: textOf(key),
      connections: [],
      waiting: new Set(),
      connecting: new Set(),
      backoffTimer: null,
      spread: null,
      surplusTimer: null,
      isLost: false,
      unwatch: () => {},
    };
    entry.unwatch = this.#settings.watchDestination(destination, peer.address.ip, () => this.#lose(entry));
    this.#entries.add(entry);
    return entry;
  }

  /** The destination has lost the address. Open streams continue. */
  #lose(entry: PeerConnections): void {
    entry.isLost = true;
    entry.backoffTimer?.cancel();
    entry.surplusTimer?.cancel();
    entry.spread?.close();
    this.#entries.delete(entry);
    const waiting = [...entry.waiting];
    entry.waiting.clear();
    for (const connection of entry.connecting) this.#end(connection);
    entry.connecting.clear();
    inPortions(this.#loop.rounds, [...entry.connections], (connection) => {
      if (this.#all.has(connection)) connection.drain();
    });
    for (const tunnel of waiting) tunnel.fail(destinationLost());
  }

  #clearEntries(): void {
    for (const { backoffTimer, surplusTimer, spread, unwatch } of this.#entries.values()) {
      backoffTimer?.cancel();
      surplusTimer?.cancel();
      spread?.close();
      unwatch();
    }
    this.#entries.clear();
  }

  #hasRoom(connection: ClientConnection): boolean {
    return connection.canOpen && connection.streamCount < this.#settings.maxStreamsPerConnection;
  }

  #end(connection: ClientConnection): void {
    connection.close();
    this.#remove(connection);
  }

  /** `spread`: the connection is made only to spread streams. */
  #connect(entry: PeerConnections, spread: Spread<ClientConnection> | null = null): void {
    const connection: ClientConnection = new ClientConnection(this.#loop, entry.key.peer, this.#settings, this.#peers, {
      onOpen: () => this.#opened(entry, connection),
      onOpenFailure: (failure) => this.#failed(entry, connection, failure),
      onBulk: () => this.#noteBulk(entry),
      onClosed: (failure) => {
        this.#settings.observer?.ended(connection, failure);
        this.#removeFrom(entry, connection);
      },
    });
    entry.connecting.add(connection);
    spread?.added(connection);
    this.#all.add(connection);
    this.#settings.observer?.connecting(connection);
    connection.start(this.#credentials, entry.key.source);
  }

  #noteBulk(entry: PeerConnections): void {
    if (entry.isLost || this.#draining) return;
    const { network, extraConnections } = this.#loop, { connections, connecting } = entry;
    const connect = () => this.#connect(entry, entry.spread);
    entry.spread ??= new Spread(network, extraConnections, { connections, connecting, connect });
    entry.spread.noteBulk();
  }

  #opened(entry: PeerConnections, connection: ClientConnection): void {
    entry.connecting.delete(connection);
    this.#backoff.succeeded(entry.text);
    this.#settings.observer?.connected(connection);
    entry.connections.push(connection);
    this.#releaseWhenUnused(connection);
    this.#releaseSurplusLater(entry);
    for (const tunnel of entry.waiting) {
      if (!this.#hasRoom(connection) || !tunnel.openOn(connection)) break;
      entry.waiting.delete(tunnel);
    }
    this.#connectIfNeeded(entry);
    if (this.#draining) connection.drain();
  }

  /** Also called after `onOpen`, where the peer has ended the connection in place of its SETTINGS. */
  #failed(entry: PeerConnections, connection: ClientConnection, failure: TunnelFailure): void {
    if (failure.origin === "peer") this.#backoff.failed(entry.text, failure);
    entry.spread?.pause();
    this.#settings.observer?.failed(connection, failure);
    const wasOpen = entry.connections.includes(connection);
    const waiting = wasOpen ? [] : [...entry.waiting];
    if (!wasOpen) {
      entry.connecting.delete(connection);
      entry.waiting.clear();
    }
    this.#removeFrom(entry, connection);
    for (const tunnel of waiting) tunnel.fail(failure);
  }

  #remove(connection: ClientConnection): void {
    connection.releaseTimer?.cancel();
    if (!this.#all.delete(connection) || this.#all.size > 0) return;
    this.#onDrained?.();
    this.#onDrained = null;
  }

  #removeFrom(entry: PeerConnections, connection: ClientConnection): void {
    this.#remove(connection);
    entry.spread?.removed(connection);
    const at = entry.connections.indexOf(connection);
    if (at >= 0) entry.connections.splice(at, 1);
    if (entry.connections.length < 2) {
      entry.surplusTimer?.cancel();
      entry.surplusTimer = null;
    }
    this.#removeIfUnused(entry);
  }

  #removeIfUnused(entry: PeerConnections): void {
    const { connections, connecting, waiting, backoffTimer } = entry;
    if (connections.length + connecting.size + waiting.size > 0 || backoffTimer !== null) return;
    entry.spread?.close();
    entry.unwatch();
    this.#entries.delete(entry);
  }

  #releaseSurplusLater(entry: PeerConnections): void {
    if (entry.isLost || entry.connections.length < 2 || entry.surplusTimer !== null) return;
    entry.surplusTimer = this.#loop.network.after(SURPLUS_TIMEOUT, () => {
      entry.surplusTimer = null;
      this.#releaseSurplus(entry);
      this.#releaseSurplusLater(entry);
    });
  }

  /** After a burst of streams, closes unused connections early, all but one. */
  #releaseSurplus({ connections, spread }: PeerConnections): void {
    if (spread !== null && spread.isLossy) return;
    const { network } = this.#loop;
    const unused = connections.filter((connection) =>
      connection.isOpen && connection.streamCount === 0 && network.now() - connection.lastUsed >= SURPLUS_TIMEOUT
    );
    const surplus = unused.slice(1);
    inPortions(this.#loop.rounds, surplus, (connection) => connection.drain());
  }

  /** One timer for each connection; it is set again when it finds the connection in use. */
  #releaseWhenUnused(connection: ClientConnection): void {
    const { network } = this.#loop;
    const check = () => {
      if (!connection.isOpen) return;
      const unusedFor = network.now() - connection.lastUsed;
      if (connection.streamCount === 0 && unusedFor >= this.#settings.unusedReleaseTimeout) return connection.drain();
      const left = this.#settings.unusedReleaseTimeout - unusedFor;
      connection.releaseTimer = network.after(left > 0 ? left : this.#settings.unusedReleaseTimeout, check);
    };
    connection.releaseTimer = network.after(this.#settings.unusedReleaseTimeout, check);
  }
}
