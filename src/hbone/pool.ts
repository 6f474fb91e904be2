/**
 * Connections to peers, shared by the tunnels of one listener (`docs/spec/dataplane.md` 3).
 *
 * Never shared between two source identities, source addresses, or sets of expected peers: all are in the key. One
 * attempt per key is under way at a time unless more wait than it can carry; when it fails, all who wait for it fail
 * with it (upstream lets them try one after the other: recorded there as a defect).
 */
import type { Millis, Timer } from "../net/clock.ts";
import type { KnownPeers } from "../identity/known_peers.ts";
import { formatAddress } from "../net/address.ts";
import { inPortions } from "../net/in_portions.ts";
import { ClientConnection } from "./client_connection.ts";
import type { Credentials } from "./credentials.ts";
import type { TunnelFailure } from "./failure.ts";
import type { HboneLoop } from "./hbone_loop.ts";
import { NestedTunnel } from "./nested_tunnel.ts";
import { OpeningTunnel, type TunnelEvents } from "./opening_tunnel.ts";
import type { PoolSettings } from "./pool_settings.ts";
import type { NestedRequest, TunnelRequest } from "./tunnel_request.ts";

/** ms for the last frames of all connections. */
const LAST_WORDS: Millis = 1000;
/** How long a connection may be unused when the peer has others; one of them stays for `unusedRelease`. */
const SURPLUS: Millis = 2000;

interface Entry {
  readonly key: string;
  readonly connections: ClientConnection[];
  readonly waiting: Set<OpeningTunnel>;
  readonly connecting: Set<ClientConnection>;
  /** Set while there are several connections. */
  surplusTimer: Timer | null;
}

export class Pool {
  readonly #loop: HboneLoop;
  readonly #credentials: Credentials;
  readonly #settings: PoolSettings;
  readonly #peers: KnownPeers;
  readonly #entries = new Map<string, Entry>();
  readonly #all = new Set<ClientConnection>();
  #draining = false;
  #onDrained: (() => void) | null = null;

  constructor(loop: HboneLoop, credentials: Credentials, settings: PoolSettings, peers: KnownPeers) {
    this.#loop = loop;
    this.#credentials = credentials;
    this.#settings = settings;
    this.#peers = peers;
  }

  /** Open and connecting connections. */
  get size(): number {
    return this.#all.size;
  }

  /** Keys with a connection, or with somebody who waits for one. */
  get keys(): number {
    return this.#entries.size;
  }

  /** Sends a CONNECT on a connection that fits, made if need be. `abort` the result to give up. */
  request(request: TunnelRequest, events: TunnelEvents): OpeningTunnel {
    const { responseTimeout } = this.#settings;
    const key = keyOf(request);
    const tunnel: OpeningTunnel = new OpeningTunnel(this.#loop.network, responseTimeout, request.headers, events, {
      placeAgain: () => {
        if (this.#draining) return false;
        this.#place(tunnel, key, request);
        return true;
      },
      onSettled: () => this.#entries.get(key)?.waiting.delete(tunnel),
      isHandshaking: () => this.#entries.get(key)?.connecting.values().some((other) => other.isHandshaking) ?? false,
    });
    this.#place(tunnel, key, request);
    return tunnel;
  }

  /** The same through a second tunnel inside the first, which is not shared. `abort` the result in every case. */
  requestNested(request: NestedRequest, events: TunnelEvents): NestedTunnel {
    const parts = { loop: this.#loop, credentials: this.#credentials, settings: this.#settings, peers: this.#peers };
    const tunnel = new NestedTunnel(parts, request, events);
    tunnel.start((outer) => this.request(request.outer, outer));
    return tunnel;
  }

  #place(tunnel: OpeningTunnel, key: string, request: TunnelRequest): void {
    const entry = this.#entry(key);
    const connection = entry.connections.find((candidate) => this.#hasRoom(candidate));
    if (connection !== undefined && tunnel.openOn(connection)) return;
    entry.waiting.add(tunnel);
    if (entry.waiting.size > entry.connecting.size * this.#settings.maxStreams) this.#connect(entry, request);
  }

  /** Sends GOAWAY on all connections, some in each turn; they end with their last stream. */
  drain(): void {
    this.#draining = true;
    inPortions(this.#loop.rounds, [...this.#all], (connection) => {
      if (this.#all.has(connection)) connection.drain();
    });
  }

  /** There are no streams any more: what they said last leaves, in a moment at most, then `done` is called. */
  finish(done: () => void): void {
    this.drain();
    this.#forgetEntries();
    for (const connection of [...this.#all]) if (connection.isConnecting) this.#end(connection);
    if (this.#all.size === 0) return done();
    const timer = this.#loop.network.after(LAST_WORDS, () => this.#endAll());
    this.#onDrained = () => {
      timer.cancel();
      done();
    };
  }

  /** Ends every connection at once. */
  close(): void {
    for (const connection of [...this.#all]) this.#end(connection);
    for (const { waiting } of this.#entries.values()) {
      for (const tunnel of [...waiting]) tunnel.fail({ flag: "CONNECT", message: "pool draining" });
    }
    this.#forgetEntries();
  }

  /** The same for a pool without streams, some in each turn. */
  #endAll(): void {
    inPortions(this.#loop.rounds, [...this.#all], (connection) => {
      if (this.#all.has(connection)) this.#end(connection);
    });
  }

  #entry(key: string): Entry {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { key, connections: [], waiting: new Set(), connecting: new Set(), surplusTimer: null };
      this.#entries.set(key, entry);
    }
    return entry;
  }

  #forgetEntries(): void {
    for (const { surplusTimer } of this.#entries.values()) surplusTimer?.cancel();
    this.#entries.clear();
  }

  #hasRoom(connection: ClientConnection): boolean {
    return connection.canOpen && connection.streamCount < this.#settings.maxStreams;
  }

  #end(connection: ClientConnection): void {
    connection.close();
    this.#forget(connection);
  }

  #connect(entry: Entry, request: TunnelRequest): void {
    const connection: ClientConnection = new ClientConnection(this.#loop, request.peer, this.#settings, this.#peers, {
      onOpen: () => this.#opened(entry, connection, request),
      onOpenFailure: (failure) => this.#failed(entry, connection, failure),
      onClosed: () => this.#gone(entry, connection),
    });
    entry.connecting.add(connection);
    this.#all.add(connection);
    connection.start(this.#credentials, request.source);
  }

  #opened(entry: Entry, connection: ClientConnection, request: TunnelRequest): void {
    entry.connecting.delete(connection);
    this.#settings.onConnected?.(connection);
    entry.connections.push(connection);
    this.#releaseWhenUnused(connection);
    this.#releaseSurplusLater(entry);
    for (const tunnel of entry.waiting) {
      if (!this.#hasRoom(connection) || !tunnel.openOn(connection)) break;
      entry.waiting.delete(tunnel);
    }
    if (entry.waiting.size > entry.connecting.size * this.#settings.maxStreams) this.#connect(entry, request);
    if (this.#draining) connection.drain();
  }

  /** Also after `onOpen`: the peer may turn us away in place of its preface. */
  #failed(entry: Entry, connection: ClientConnection, failure: TunnelFailure): void {
    const wasOpen = entry.connections.includes(connection);
    const waiting = wasOpen ? [] : [...entry.waiting];
    if (!wasOpen) {
      entry.connecting.delete(connection);
      entry.waiting.clear();
    }
    this.#gone(entry, connection);
    for (const tunnel of waiting) tunnel.fail(failure);
  }

  #forget(connection: ClientConnection): void {
    connection.releaseTimer?.cancel();
    if (!this.#all.delete(connection) || this.#all.size > 0) return;
    this.#onDrained?.();
    this.#onDrained = null;
  }

  #gone(entry: Entry, connection: ClientConnection): void {
    this.#forget(connection);
    const at = entry.connections.indexOf(connection);
    if (at >= 0) entry.connections.splice(at, 1);
    if (entry.connections.length < 2) {
      entry.surplusTimer?.cancel();
      entry.surplusTimer = null;
    }
    if (entry.connections.length === 0 && entry.connecting.size === 0 && entry.waiting.size === 0) {
      if (this.#entries.get(entry.key) === entry) this.#entries.delete(entry.key);
    }
  }

  #releaseSurplusLater(entry: Entry): void {
    if (entry.connections.length < 2 || entry.surplusTimer !== null) return;
    entry.surplusTimer = this.#loop.network.after(SURPLUS, () => {
      entry.surplusTimer = null;
      this.#releaseSurplus(entry);
      this.#releaseSurplusLater(entry);
    });
  }

  /** After a burst of streams, unused connections are closed soon, all but one. */
  #releaseSurplus({ connections }: Entry): void {
    const { network } = this.#loop;
    const unused = connections.filter((connection) =>
      connection.isOpen && connection.streamCount === 0 && network.now() - connection.lastUsed >= SURPLUS
    );
    const surplus = unused.slice(1);
    inPortions(this.#loop.rounds, surplus, (connection) => connection.drain());
  }

  /** One timer per connection, set again when it finds the connection in use. */
  #releaseWhenUnused(connection: ClientConnection): void {
    const { network } = this.#loop;
    const check = () => {
      if (!connection.isOpen) return;
      const unusedFor = network.now() - connection.lastUsed;
      if (connection.streamCount === 0 && unusedFor >= this.#settings.unusedRelease) return connection.drain();
      const left = this.#settings.unusedRelease - unusedFor;
      connection.releaseTimer = network.after(left > 0 ? left : this.#settings.unusedRelease, check);
    };
    connection.releaseTimer = network.after(this.#settings.unusedRelease, check);
  }
}

/** What a connection must not be shared across. */
function keyOf({ source, sourceIp, destination, peer }: TunnelRequest): string {
  return `${source} ${sourceIp} ${destination} ${formatAddress(peer.address)} ${peer.expected.join(",")}`;
}
