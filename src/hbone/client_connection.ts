/**
 * One HTTP/2 connection to a peer, from the wish to its end.
 *
 *     credential ──▶ dialing ──▶ handshake ──▶ open ──▶ ended ──▶ closed
 *         │  └──── over a tunnel ────▲ │                              ▲
 *         └─────────────┴──────────────┴─ failure ────────────────────┘
 *
 * "open" begins with our preface; requests may be sent at once. A GOAWAY or `drain` only stops new requests. In
 * "ended" the last frames leave.
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
import type { Duplex } from "../net/duplex.ts";
import type { DialOptions, Millis, Timer } from "../net/network.ts";
import type { TlsPeer } from "../net/tls_context.ts";
import type { Credential, Credentials } from "./credentials.ts";
import { afterExpiry } from "./expiry.ts";
import { contextFailure, dialFailure, handshakeFailure, identityFailure, type TunnelFailure } from "./failure.ts";
import { prefaceFailure, REVOKED, WITHDRAWN } from "./failure.ts";
import type { Loop } from "./loop.ts";
import { Transport } from "./transport.ts";

export interface Peer {
  readonly address: SocketAddress;
  /** Any of these may answer. */
  readonly expected: readonly SpiffeId[];
}

export interface ClientSettings {
  readonly dial: DialOptions;
  readonly handshakeTimeout: Millis;
  readonly http2: Pick<H2Options, "streamWindow" | "connectionWindow" | "maxFrameSize">;
  /** Milliseconds since the epoch, for certificates. */
  readonly wallClock: () => number;
}

export interface ClientEvents {
  onOpen(): void;
  /** Never opened. */
  onOpenFailure(failure: TunnelFailure): void;
  /** Was open; its streams have been told, its socket is closed. */
  onClosed(failure: H2Failure): void;
}

export class ClientConnection implements ConnectionHandler {
  readonly peer: Peer;
  readonly #loop: Loop;
  readonly #settings: ClientSettings;
  readonly #events: ClientEvents;
  readonly #peers: KnownPeers;
  #unwatch: () => void = () => {};
  #abort: () => void = () => {};
  #h2: H2Connection | null = null;
  #transport: Transport | null = null;
  /** The credential came. */
  #begun = false;
  #closed = false;
  #ended = false;
  #settled = false;
  #leaving = false;
  /** How it ended by itself. */
  #end: H2Failure | null = null;
  /** The peer as verified, and the session's parameters; null before "open". */
  tls: TlsPeer | null = null;
  peerId: SpiffeId | null = null;
  /** ms since the epoch: when the first certificate of either side expires. */
  #notAfter = Infinity;
  #credential: Credential | null = null;
  lastUsed: Millis = 0;
  /** The pool's, for the release of a connection that is not used. */
  releaseTimer: Timer | null = null;

  constructor(loop: Loop, peer: Peer, settings: ClientSettings, peers: KnownPeers, events: ClientEvents) {
    this.#loop = loop;
    this.peer = peer;
    this.#settings = settings;
    this.#peers = peers;
    this.#events = events;
  }

  /** Events may come before this returns. */
  start(credentials: Credentials, source: SpiffeId): void {
    this.#obtain(credentials, source, (credential) => this.#dial(credential), () => {});
  }

  /** The same over a stream that is there: a tunnel through a gateway. Whatever becomes of it, it is closed here. */
  startOver(plain: Duplex, credentials: Credentials, source: SpiffeId): void {
    this.#obtain(credentials, source, (credential) => this.#secure(plain, credential), () => plain.close());
  }

  #obtain(credentials: Credentials, source: SpiffeId, go: (credential: Credential) => void, drop: () => void): void {
    const stop = credentials.get(source, {
      onCredential: (credential) => {
        if (this.#ended) return;
        this.#begun = true;
        go(credential);
      },
      onCredentialFailure: (message) => {
        if (this.#ended) return;
        drop();
        this.#fail(identityFailure(message));
      },
    });
    if (this.#ended || this.#begun) return;
    this.#abort = () => {
      stop();
      drop();
    };
  }

  get isConnecting(): boolean {
    return this.#h2 === null && !this.#ended;
  }

  get isOpen(): boolean {
    return this.#h2 !== null && !this.#ended;
  }

  get streamCount(): number {
    return this.#h2?.streamCount ?? 0;
  }

  get canOpen(): boolean {
    return !this.#ended && (this.#h2?.canOpen ?? false);
  }

  /** The peer has sent a GOAWAY, or all is over. */
  get refusesMore(): boolean {
    return this.#ended || this.#leaving;
  }

  open(headers: HeaderList, handler: StreamHandler): Stream | null {
    this.lastUsed = this.#loop.network.now();
    return this.#h2?.open(headers, handler) ?? null;
  }

  /** No new streams; ends with the last one. */
  drain(): void {
    this.#h2?.drain(this.#loop.network.now());
    this.#transport?.deadlineMoved();
  }

  /** Ends at once, whatever its state. Streams are told, `ClientEvents` are not. */
  close(): void {
    this.#closed = this.#ended = true;
    this.#unwatch();
    this.#abort();
    this.#h2?.transportEnded("the connection was closed");
    this.#transport?.close();
  }

  onRequest(stream: Stream): void {
    stream.reset(ErrorCode.REFUSED_STREAM);
  }

  onOutput(): void {
    this.#transport?.flushSoon();
  }

  onSettings(): void {
    this.#settled = true;
  }

  onGoAway(): void {
    this.#leaving = true;
  }

  onEnd(failure: H2Failure): void {
    this.#ended = true;
    this.#end = failure;
    this.#unwatch();
    this.#transport?.connectionEnded();
  }

  #transportClosed(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#settled) this.#events.onClosed(this.#end!);
    else this.#events.onOpenFailure(prefaceFailure(this.#end!));
  }

  #dial(credential: Credential): void {
    const dial = this.#loop.network.dial(this.peer.address, this.#settings.dial, {
      onConnect: (plain) => this.#secure(plain, credential),
      onDialFailure: (ending) => this.#fail(dialFailure(ending)),
    });
    this.#abort = () => dial.abort();
  }

  #secure(plain: Duplex, credential: Credential): void {
    try {
      const handshake = this.#loop.network.secure(
        plain,
        credential.context,
        "client",
        this.#settings.handshakeTimeout,
        {
          accept: (chain) => this.#judge(chain, credential),
          explain: (leaf) => explainLeaf(leaf, credential.trust, this.#settings.wallClock()),
          onSecure: (duplex, peer) => this.#start(duplex, peer),
          onSecureFailure: (ending) => this.#fail(handshakeFailure(ending)),
        },
      );
      this.#abort = () => handshake.abort();
    } catch (error) {
      plain.close();
      this.#fail(contextFailure(error instanceof Error ? error.message : String(error)));
    }
  }

  #judge(chain: readonly Uint8Array[], credential: Credential) {
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
    this.#abort = () => {};
    this.tls = peer;
    this.lastUsed = network.now();
    const defaults = defaultOptions("client");
    const pingInterval = spreadInterval(defaults.pingInterval, random);
    const options = { ...defaults, ...this.#settings.http2, pingInterval, peer: this.peerId ?? "" };
    this.#h2 = new H2Connection(options, this, h2, network.now());
    this.#transport = new Transport(this.#loop, duplex, this.#h2, () => this.#transportClosed());
    this.#transport.start();
    this.#watch(peer);
    this.#events.onOpen();
  }

  /** Until it has ended. */
  #watch({ chain }: TlsPeer): void {
    const unwatch = this.#peers.revocation.watch(chain, "server", () => this.#transport?.abandon(REVOKED));
    const forget = afterExpiry(this.#loop.network, this.#settings.wallClock, this.#notAfter, () => this.drain());
    const ignore = this.#credential?.watch((trust, cut) => {
      if (cut) return this.#transport?.abandon(WITHDRAWN);
      if (trust === null || isRefusal(this.#verify(chain, trust))) this.drain();
    });
    this.#unwatch = () => {
      unwatch();
      forget();
      ignore?.();
    };
  }

  #fail(failure: TunnelFailure): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#events.onOpenFailure(failure);
  }
}
