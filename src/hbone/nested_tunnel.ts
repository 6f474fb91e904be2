/**
 * A tunnel inside a tunnel, to a peer behind the gateway of another network (`docs/spec/dataplane.md` 1.6).
 *
 *     outer CONNECT ──200──▶ inner TLS ──▶ inner CONNECT ──200──▶ handed over ──▶ closed
 *           └───────────────────┴───────────────┴── failure, close ────────────────▲
 *
 * The outer tunnel comes from the pool and ends at the gateway, which passes on bytes that it cannot decrypt. In the
 * inner connection both ends prove their identities to each other. It carries this one stream, so that the other
 * network chooses a workload for each request.
 */
import type { H2Failure, Stream } from "../h2/seam.ts";
import type { KnownPeers } from "../identity/known_peers.ts";
import type { SocketAddress } from "../net/address.ts";
import { ClientConnection, type ClientEvents } from "./client_connection.ts";
import type { Credentials } from "./credentials.ts";
import { innerFailure, noRoomFailure, type TunnelFailure } from "./failure.ts";
import type { HboneLoop } from "./hbone_loop.ts";
import { type OpeningPhase, OpeningTunnel, SINGLE_ATTEMPT, type TunnelEvents } from "./opening_tunnel.ts";
import type { PoolSettings } from "./pool_settings.ts";
import { StreamDuplex } from "./stream_duplex.ts";
import type { NestedRequest } from "./tunnel_request.ts";

/** Parts of the pool that the outer tunnel comes from. */
interface NestedParts {
  readonly loop: HboneLoop;
  readonly credentials: Credentials;
  readonly settings: PoolSettings;
  readonly peers: KnownPeers;
}

/** One CONNECT through two tunnels. `close` it in every case. */
export class NestedTunnel implements ClientEvents {
  readonly #parts: NestedParts;
  readonly #request: NestedRequest;
  readonly #events: TunnelEvents;
  readonly #connection: ClientConnection;
  #outer: OpeningTunnel | null = null;
  #inner: OpeningTunnel | null = null;
  /** One of the events was called, or `close`. */
  #settled = false;

  constructor(parts: NestedParts, request: NestedRequest, events: TunnelEvents) {
    this.#parts = parts;
    this.#request = request;
    this.#events = events;
    const peer = { address: request.outer.peer.address, expected: request.expected };
    this.#connection = new ClientConnection(parts.loop, peer, parts.settings, parts.peers, this);
  }

  /** The outer tunnel counts as a part of connecting. */
  get phase(): OpeningPhase {
    return this.#inner?.phase ?? (this.#connection.isHandshaking ? "handshaking" : "connecting");
  }

  /** Requests the outer tunnel by `requestOuter`. Events may be called before this returns. */
  start(requestOuter: (events: TunnelEvents) => OpeningTunnel): void {
    this.#outer = requestOuter({
      onTunnel: (stream) => this.#startInner(stream),
      onTunnelFailure: (failure, connection) => this.#fail(failure, connection),
    });
  }

  /**
   * Cancels the request; no event follows. After `onTunnel`, call it when the stream has ended: it ends the inner
   * connection. Idempotent.
   */
  abort(): void {
    this.#settled = true;
    this.#outer?.abort();
    this.#inner?.abort();
    if (this.#connection.isOpen) this.#connection.drain();
    else if (this.#connection.isConnecting) this.#connection.close();
  }

  onOpen(): void {
    const { loop, settings } = this.#parts;
    settings.observer?.connected(this.#connection);
    const events: TunnelEvents = {
      onTunnel: (stream, answer, connection) => {
        this.#settled = true;
        this.#events.onTunnel(stream, answer, connection);
      },
      onTunnelFailure: (failure, connection) => this.#failInside(failure, connection),
    };
    const { headers } = this.#request;
    this.#inner = new OpeningTunnel(loop.network, settings.responseTimeout, headers, events, SINGLE_ATTEMPT);
    if (!this.#inner.openOn(this.#connection)) this.#failInside(noRoomFailure(), null);
  }

  onOpenFailure(failure: TunnelFailure): void {
    this.#failInside(failure, null);
  }

  /** The handler of its stream was called before. */
  onClosed(_failure: H2Failure): void {}

  #startInner(stream: Stream): void {
    const { source, sourceIp, peer } = this.#request.outer;
    const local: SocketAddress = { ip: sourceIp, port: 0 };
    const plain = new StreamDuplex(this.#parts.loop, stream, { local, remote: peer.address });
    this.#connection.startOver(plain, this.#parts.credentials, source);
  }

  #failInside(failure: TunnelFailure, connection: ClientConnection | null): void {
    const { expected, service } = this.#request;
    this.#fail(innerFailure(failure, expected.length === 0 ? service : null), connection);
  }

  #fail(failure: TunnelFailure, connection: ClientConnection | null): void {
    if (this.#settled) return;
    this.abort();
    this.#events.onTunnelFailure(failure, connection);
  }
}
