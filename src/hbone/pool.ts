/**
 * Connections to peers, shared by the tunnels of one listener (`docs/spec/dataplane.md` 3).
 *
 * Never shared between two source identities, source addresses, or sets of expected peers: all are in the key. One
 * attempt per key is under way at a time unless more wait than it can carry; when it fails, all who wait for it fail
 * with it (upstream lets them try one after the other: recorded there as a defect).
 */
import type { HeaderList } from "../h2/seam.ts";
import type { SpiffeId } from "../identity/spiffe_id.ts";
import type { PeerChainCache } from "../identity/verify_peer.ts";
import { formatAddress, type Ip } from "../net/address.ts";
import type { Millis } from "../net/network.ts";
import { ClientConnection, type ClientSettings, type Peer } from "./client_connection.ts";
import type { Credentials } from "./credentials.ts";
import type { TunnelFailure } from "./failure.ts";
import type { Loop } from "./loop.ts";
import { OpeningTunnel, type TunnelEvents } from "./opening_tunnel.ts";

export interface TunnelRequest {
  readonly source: SpiffeId;
  readonly sourceIp: Ip;
  /** Uid of the workload at the other end. */
  readonly destination: string;
  readonly peer: Peer;
  readonly headers: HeaderList;
}

export interface PoolSettings extends ClientSettings {
  readonly maxStreams: number;
  readonly unusedRelease: Millis;
  readonly responseTimeout: Millis;
}

interface Entry {
  readonly key: string;
  readonly connections: ClientConnection[];
  readonly waiting: Set<OpeningTunnel>;
  connecting: number;
}

export class Pool {
  readonly #loop: Loop;
  readonly #credentials: Credentials;
  readonly #settings: PoolSettings;
  readonly #cache: PeerChainCache;
  readonly #entries = new Map<string, Entry>();
  readonly #all = new Set<ClientConnection>();
  #closed = false;

  constructor(loop: Loop, credentials: Credentials, settings: PoolSettings, cache: PeerChainCache) {
    this.#loop = loop;
    this.#credentials = credentials;
    this.#settings = settings;
    this.#cache = cache;
  }

  /** Open and connecting connections. */
  get size(): number {
    return this.#all.size;
  }

  /** Sends a CONNECT on a connection that fits, made if need be. `abort` the result to give up. */
  request(request: TunnelRequest, events: TunnelEvents): OpeningTunnel {
    const entry = this.#entry(request);
    const tunnel = new OpeningTunnel(this.#loop.network, this.#settings.responseTimeout, request.headers, events);
    const connection = entry.connections.find((candidate) => this.#hasRoom(candidate));
    if (connection !== undefined && tunnel.openOn(connection)) return tunnel;
    entry.waiting.add(tunnel);
    tunnel.onAbort = () => entry.waiting.delete(tunnel);
    if (entry.waiting.size > entry.connecting * this.#settings.maxStreams) this.#connect(entry, request);
    return tunnel;
  }

  /** GOAWAY everywhere; connections end with their last stream. */
  drain(): void {
    for (const connection of this.#all) connection.drain();
  }

  /** Ends every connection at once. */
  close(): void {
    this.#closed = true;
    for (const connection of [...this.#all]) connection.close();
    this.#all.clear();
    this.#entries.clear();
  }

  #entry(request: TunnelRequest): Entry {
    const { source, sourceIp, destination, peer } = request;
    const key = `${source} ${sourceIp} ${destination} ${formatAddress(peer.address)} ${peer.expected.join(",")}`;
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { key, connections: [], waiting: new Set(), connecting: 0 };
      this.#entries.set(key, entry);
    }
    return entry;
  }

  #hasRoom(connection: ClientConnection): boolean {
    return connection.canOpen && connection.streamCount < this.#settings.maxStreams;
  }

  #connect(entry: Entry, request: TunnelRequest): void {
    entry.connecting++;
    const connection: ClientConnection = new ClientConnection(this.#loop, request.peer, this.#settings, this.#cache, {
      onOpen: () => this.#opened(entry, connection, request),
      onOpenFailure: (failure) => this.#failed(entry, connection, failure),
      onClosed: () => this.#gone(entry, connection),
    });
    this.#all.add(connection);
    connection.start(this.#credentials, request.source);
  }

  #opened(entry: Entry, connection: ClientConnection, request: TunnelRequest): void {
    entry.connecting--;
    if (this.#closed) return connection.close();
    entry.connections.push(connection);
    this.#releaseWhenUnused(connection);
    for (const tunnel of entry.waiting) {
      if (!this.#hasRoom(connection)) break;
      entry.waiting.delete(tunnel);
      tunnel.openOn(connection);
    }
    if (entry.waiting.size > entry.connecting * this.#settings.maxStreams) this.#connect(entry, request);
  }

  /** Also after `onOpen`: the peer may turn us away in place of its preface. */
  #failed(entry: Entry, connection: ClientConnection, failure: TunnelFailure): void {
    const wasOpen = entry.connections.includes(connection);
    if (!wasOpen) entry.connecting--;
    this.#gone(entry, connection);
    if (wasOpen) return;
    const waiting = [...entry.waiting];
    entry.waiting.clear();
    for (const tunnel of waiting) tunnel.fail(failure);
  }

  #gone(entry: Entry, connection: ClientConnection): void {
    this.#all.delete(connection);
    const at = entry.connections.indexOf(connection);
    if (at >= 0) entry.connections.splice(at, 1);
    if (entry.connections.length === 0 && entry.connecting === 0 && entry.waiting.size === 0) {
      if (this.#entries.get(entry.key) === entry) this.#entries.delete(entry.key);
    }
  }

  /** One timer per connection, set again when it finds the connection in use. */
  #releaseWhenUnused(connection: ClientConnection): void {
    const { network } = this.#loop;
    const check = () => {
      if (!connection.isOpen) return;
      const unusedFor = network.now() - connection.lastUsed;
      if (connection.streamCount === 0 && unusedFor >= this.#settings.unusedRelease) return connection.drain();
      const left = this.#settings.unusedRelease - unusedFor;
      network.after(left > 0 ? left : this.#settings.unusedRelease, check);
    };
    network.after(this.#settings.unusedRelease, check);
  }
}
