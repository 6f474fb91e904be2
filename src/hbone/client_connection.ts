/**
 * One HTTP/2 connection to a peer, from the request for a certificate to the closed socket. Its states are drawn in
 * `client_state.ts`.
 */
import { H2Connection } from "../h2/connection.ts";
import { spreadInterval } from "../h2/keepalive.ts";
import { defaultOptions } from "../h2/limits.ts";
import { type ConnectionHandler, ErrorCode, type H2Failure, type H2Options } from "../h2/seam.ts";
import type { HeaderList, Stream, StreamHandler } from "../h2/seam.ts";
import type { SpiffeId } from "../identity/spiffe_id.ts";
import { explainLeaf } from "../identity/explain_leaf.ts";
import { isRefusal } from "../identity/peer_chain.ts";
import type { KnownPeers } from "../identity/known_peers.ts";
import type { TrustStore } from "../identity/trust_bundles.ts";
import type { SocketAddress } from "../net/address.ts";
import type { Millis, Timer } from "../net/clock.ts";
import type { Duplex } from "../net/duplex.ts";
import type { DialOptions } from "../net/network.ts";
import type { SegmentCounts } from "../net/network_path.ts";
import type { TlsPeer } from "../net/tls_context.ts";
import { type CertificateListener, watchCertificates } from "./certificate_watch.ts";
import { ClientState, ClientTransition, hasHttp2, isConnecting, nextClientState } from "./client_state.ts";
import type { Credential, Credentials } from "./credentials.ts";
import { contextFailure, dialFailure, handshakeFailure, identityFailure, type TunnelFailure } from "./failure.ts";
import { prefaceFailure } from "./failure.ts";
import type { HboneLoop } from "./hbone_loop.ts";
import { Transport } from "./transport.ts";

/** A peer that has sent nothing for longer than this gets a PING along with the next request. */
const PING_AFTER_SILENCE: Millis = 1000;
/** A SYN and the one that the kernel sends after a second have both got no answer. */
const UNANSWERED_AFTER: Millis = 1500;
/** A peer that has not answered a PING for this time gets no new requests. */
const UNRESPONSIVE_AFTER: Millis = 3000;

/** Where a connection leads, and who must answer there. */
export interface Peer {
  readonly address: SocketAddress;
  /** The peer must prove one of these identities. */
  readonly expected: readonly SpiffeId[];
}

/** Settings of each connection that we make. */
export interface ClientSettings {
  readonly dial: DialOptions;
  readonly handshakeTimeout: Millis;
  readonly http2: Pick<H2Options, "streamWindow" | "connectionWindow" | "maxFrameSize">;
  /** Milliseconds since the epoch, for certificates. */
  readonly wallClock: () => number;
}

/** Implemented by the owner of a connection. After `close` none of these is called. */
export interface ClientEvents {
  /** The handshake is done and our preface is queued: requests may be sent. */
  onOpen(): void;
  /**
   * The connection failed before the peer's SETTINGS arrived, and is closed. Also called after `onOpen`, where the peer
   * ended the connection in place of its SETTINGS.
   */
  onOpenFailure(failure: TunnelFailure): void;
  /** The connection was open and has ended: the handlers of its streams were called before, its socket is closed. */
  onClosed(failure: H2Failure): void;
  /** Called now and then while the connection moves much over a long round trip: see `Pacing`. */
  onBulk?(): void;
}

/** One connection to a peer. The owner calls {@link start} or {@link startOver} once. */
export class ClientConnection implements ConnectionHandler, CertificateListener {
  readonly peer: Peer;
  /** Unique in the worker, among the HBONE connections of both roles. */
  readonly number: number;
  readonly #loop: HboneLoop;
  readonly #settings: ClientSettings;
  readonly #events: ClientEvents;
  readonly #peers: KnownPeers;
  #state = ClientState.AWAITING_CREDENTIAL;
  /** Cancels what the current state waits for: the credential, the dial, the handshake, changes of certificates. */
  #cancel: () => void = () => {};
  #h2: H2Connection | null = null;
  #transport: Transport | null = null;
  /** Tells the owner how HTTP/2 ended; set in ENDED and called when the socket is closed. */
  #reportEnd: () => void = () => {};
  /** The peer as verified, and the session's parameters; null before `onOpen`. */
  tls: TlsPeer | null = null;
  /** The identity that the peer has proved; null before the handshake. */
  peerId: SpiffeId | null = null;
  /** ms since the epoch: when the first certificate of either side expires. */
  #notAfter = Infinity;
  #credential: Credential | null = null;
  /** When TCP was connected, and when the TLS handshake was done. Infinity: not yet. */
  #dialledAt: Millis = Infinity;
  connectedAt: Millis = Infinity;
  securedAt: Millis = Infinity;
  /** When the last stream was opened, or the connection. */
  lastUsed: Millis = 0;
  /** Set by the pool: closes the connection when it is unused for long. */
  releaseTimer: Timer | null = null;

  constructor(loop: HboneLoop, peer: Peer, settings: ClientSettings, peers: KnownPeers, events: ClientEvents) {
    this.#loop = loop;
    this.peer = peer;
    this.number = loop.nextConnectionNumber();
    this.#settings = settings;
    this.#peers = peers;
    this.#events = events;
  }

  /** Dials the peer with the certificate of `source`. Events may be called before this returns. */
  start(credentials: Credentials, source: SpiffeId): void {
    this.#obtain(credentials, source, (credential) => this.#dial(credential), () => {});
  }

  /** Connects over `plain`, a tunnel through a gateway, instead of dialling. Closes `plain` in every case. */
  startOver(plain: Duplex, credentials: Credentials, source: SpiffeId): void {
    this.#obtain(credentials, source, (credential) => this.#secure(plain, credential), () => plain.close());
  }

  /** Gets the certificate of `source`, then calls `proceed`. `discard` is called where that does not happen. */
  #obtain(
    credentials: Credentials,
    source: SpiffeId,
    proceed: (credential: Credential) => void,
    discard: () => void,
  ): void {
    const stop = credentials.get(source, {
      onCredential: (credential) => {
        if (this.#state === ClientState.AWAITING_CREDENTIAL) proceed(credential);
      },
      onCredentialFailure: (message) => {
        if (this.#state !== ClientState.AWAITING_CREDENTIAL) return;
        discard();
        this.#fail(identityFailure(message));
      },
    });
    if (this.#state !== ClientState.AWAITING_CREDENTIAL) return;
    this.#cancel = () => {
      stop();
      discard();
    };
  }

  /** The connection is being made: `onOpen` or `onOpenFailure` will be called. */
  get isConnecting(): boolean {
    return isConnecting(this.#state);
  }

  /** Our own certificate is awaited; nothing was dialled. */
  get isAwaitingCredential(): boolean {
    return this.#state === ClientState.AWAITING_CREDENTIAL;
  }

  /** TCP has been dialled for so long that the peer, or the way to it, is probably gone. */
  get isUnanswered(): boolean {
    return this.#state === ClientState.DIALING && this.#loop.network.now() - this.#dialledAt >= UNANSWERED_AFTER;
  }

  get isHandshaking(): boolean {
    return this.#state === ClientState.HANDSHAKING;
  }

  /** `onOpen` was called, and HTTP/2 has not ended. */
  get isOpen(): boolean {
    return hasHttp2(this.#state);
  }

  get streamCount(): number {
    return this.#h2?.streamCount ?? 0;
  }

  /** How many streams were busy since the last call: see `H2Connection.countBusyStreams`. */
  countBusyStreams(least: number): number {
    return this.#h2?.countBusyStreams(least) ?? 0;
  }

  /** Segments of the TCP connection so far; null: not known. */
  countSegments(): SegmentCounts | null {
    return this.#transport?.countSegments() ?? null;
  }

  /** {@link open} would succeed. */
  get canOpen(): boolean {
    return hasHttp2(this.#state) && (this.#h2?.canOpen ?? false) && !this.isUnresponsive;
  }

  /** The peer takes no new requests: it has sent GOAWAY, or the connection has ended. */
  get refusesRequests(): boolean {
    return this.#state >= ClientState.GOING_AWAY;
  }

  /** A PING is unanswered for so long that the peer has probably vanished. False again when it sends anything. */
  get isUnresponsive(): boolean {
    return (this.#h2?.unansweredFor(this.#loop.network.now()) ?? 0) >= UNRESPONSIVE_AFTER;
  }

  /**
   * Sends a CONNECT with these headers, and in the same write a {@link probe}: if the peer has vanished, that is known in
   * {@link UNRESPONSIVE_AFTER}. Null: {@link canOpen} is false.
   */
  open(headers: HeaderList, handler: StreamHandler): Stream | null {
    this.lastUsed = this.#loop.network.now();
    const stream = this.#h2?.open(headers, handler) ?? null;
    if (stream !== null) this.probe();
    return stream;
  }

  /** Sends a PING where the peer has been silent and no PING is unanswered yet. */
  probe(): void {
    const now = this.#loop.network.now();
    const isOpen = this.#state === ClientState.OPEN || this.#state === ClientState.GOING_AWAY;
    if (!isOpen || this.#h2!.silentFor(now) <= PING_AFTER_SILENCE) return;
    this.#h2!.ping(now);
    this.#transport?.deadlineMoved();
  }

  /** Sends GOAWAY: no new streams; the connection ends with its last one. */
  drain(): void {
    this.#h2?.drain(this.#loop.network.now());
    this.#transport?.deadlineMoved();
  }

  /** Ends the connection at once, whatever its state. Its streams get `onReset`; no {@link ClientEvents} follow. */
  close(): void {
    if (this.#state === ClientState.CLOSED) return;
    this.#change(ClientTransition.CLOSED);
    this.#cancel();
    this.#h2?.transportEnded("the connection was closed");
    this.#transport?.close();
  }

  abandon(reason: string): void {
    this.#transport?.abandon(reason);
  }

  trusts(chain: readonly Uint8Array[], trust: TrustStore): boolean {
    return !isRefusal(this.#verify(chain, trust));
  }

  onRequest(stream: Stream): void {
    stream.reset(ErrorCode.REFUSED_STREAM);
  }

  onOutput(): void {
    this.#transport?.flushSoon();
  }

  onSettings(): void {
    this.#change(ClientTransition.SETTINGS);
  }

  onGoAway(): void {
    this.#change(ClientTransition.GOAWAY);
  }

  onEnd(failure: H2Failure): void {
    if (this.#state === ClientState.CLOSED) return;
    this.#reportEnd = this.#state === ClientState.AWAITING_SETTINGS
      ? () => this.#events.onOpenFailure(prefaceFailure(failure))
      : () => this.#events.onClosed(failure);
    this.#change(ClientTransition.HTTP2_ENDED);
    this.#cancel();
    this.#transport?.connectionEnded();
  }

  #transportClosed(): void {
    if (this.#state === ClientState.CLOSED) return;
    this.#change(ClientTransition.CLOSED);
    this.#reportEnd();
  }

  #change(transition: ClientTransition): void {
    this.#state = nextClientState(this.#state, transition);
  }

  #dial(credential: Credential): void {
    this.#change(ClientTransition.DIAL);
    this.#dialledAt = this.#loop.network.now();
    const dial = this.#loop.network.dial(this.peer.address, this.#settings.dial, {
      onConnect: (plain) => this.#secure(plain, credential),
      onDialFailure: (ending) => this.#fail(dialFailure(ending)),
    });
    this.#cancel = () => dial.abort();
  }

  #secure(plain: Duplex, credential: Credential): void {
    this.#change(ClientTransition.HANDSHAKE);
    this.connectedAt = this.#loop.network.now();
    try {
      const handshake = this.#loop.network.secure(
        plain,
        credential.context,
        "client",
        this.#settings.handshakeTimeout,
        {
          accept: (chain) => this.#accept(chain, credential),
          explain: (leaf) => explainLeaf(leaf, credential.trust, this.#settings.wallClock()),
          onSecure: (duplex, peer) => this.#start(duplex, peer),
          onSecureFailure: (ending) => this.#fail(handshakeFailure(ending)),
        },
      );
      this.#cancel = () => handshake.abort();
    } catch (error) {
      plain.close();
      this.#fail(contextFailure(error instanceof Error ? error.message : String(error)));
    }
  }

  /** Verifies the peer in the middle of the handshake. Returns null, or why it is refused. */
  #accept(chain: readonly Uint8Array[], credential: Credential) {
    const verdict = this.#verify(chain, credential.trust);
    if (isRefusal(verdict)) return verdict;
    this.#credential = credential;
    this.peerId = verdict.id;
    this.#notAfter = Math.min(verdict.notAfter, credential.notAfter);
    return null;
  }

  #verify(chain: readonly Uint8Array[], trust: TrustStore) {
    const expected = { kind: "any-of", ids: this.peer.expected } as const;
    return this.#peers.verify(chain, "server", trust, expected, this.#settings.wallClock());
  }

  #start(duplex: Duplex, peer: TlsPeer): void {
    const { network, h2, random } = this.#loop;
    this.#change(ClientTransition.PREFACE_SENT);
    this.#cancel = () => {};
    this.tls = peer;
    this.lastUsed = this.securedAt = network.now();
    const defaults = defaultOptions("client");
    const pingInterval = spreadInterval(defaults.pingInterval, random);
    const options = { ...defaults, ...this.#settings.http2, pingInterval, peer: this.peerId ?? "" };
    this.#h2 = new H2Connection(options, this, h2, network.now());
    const onBulk = () => this.#events.onBulk?.();
    this.#transport = new Transport(this.#loop, duplex, this.#h2, () => this.#transportClosed(), onBulk);
    this.#transport.start();
    const { revocation } = this.#peers, { wallClock } = this.#settings;
    const certificates = {
      credential: this.#credential!,
      chain: peer.chain,
      role: "server",
      notAfter: this.#notAfter,
    } as const;
    this.#cancel = watchCertificates(certificates, revocation, network, wallClock, this);
    this.#events.onOpen();
  }

  #fail(failure: TunnelFailure): void {
    if (this.#state >= ClientState.ENDED) return;
    this.#change(ClientTransition.CLOSED);
    this.#events.onOpenFailure(failure);
  }
}
