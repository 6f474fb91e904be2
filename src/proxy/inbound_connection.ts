/**
 * HBONE from peers, port 15008: TLS with the pod's certificate, then HTTP/2 (`docs/spec/dataplane.md` 1.7, 1-5).
 *
 * In phase "resolving" the connection waits for the pod's workload, then for its certificate. A connection that drains
 * stays open until its last stream has ended.
 */
import { type CertificateListener, watchCertificates } from "../hbone/certificate_watch.ts";
import type { Credential } from "../hbone/credentials.ts";
import { handshakeCause, http2Cause, isTakenBack } from "../hbone/failure.ts";
import { ServerConnection } from "../hbone/server_connection.ts";
import { explainLeaf } from "../identity/explain_leaf.ts";
import { isRefusal } from "../identity/peer_chain.ts";
import { type SpiffeId, trustDomainOf } from "../identity/spiffe_id.ts";
import type { TrustStore } from "../identity/trust_bundles.ts";
import type { Workload } from "../mesh/model/model.ts";
import { identityOf } from "../mesh/model/workload_identity.ts";
import { STRICT_LIMITS } from "../h2/limits.ts";
import { ErrorCode, type H2Failure } from "../h2/seam.ts";
import { formatAddress, type SocketAddress } from "../net/address.ts";
import type { Millis } from "../net/clock.ts";
import type { Duplex } from "../net/duplex.ts";
import type { Handshake } from "../net/network.ts";
import type { PeerRefusal, TlsPeer } from "../net/tls_context.ts";
import { bare } from "../telemetry/log_fields.ts";
import type { ConnectionFacts, EndingCause } from "../telemetry/connection_ending.ts";
import type { FlowParts } from "../telemetry/flow.ts";
import type { LogScope } from "../telemetry/log.ts";
import { LEVEL } from "../telemetry/log_level.ts";
import { InboundStream } from "./inbound_stream.ts";
import { PodConnection } from "./pod_connection.ts";
import type { PodContext } from "./pod_context.ts";
import { MOST, type UnprovenPeer } from "./unproven.ts";

/** A peer as its certificates prove it, and our side of the handshake. */
interface ProvenPeer {
  readonly credential: Credential;
  readonly identity: SpiffeId;
  /** ms since the epoch: when the first certificate of the peer's path expires. */
  readonly notAfter: number;
}

const NO_IDENTITY: EndingCause = { by: "us", how: "identity" };
const TLS_FAILED: EndingCause = { by: "us", how: "tls" };

/** One TCP connection of a peer, from accept to its end. Its streams are connections of their own. */
export class InboundConnection extends PodConnection implements UnprovenPeer, CertificateListener {
  readonly #plain: Duplex;
  readonly #onEnd: () => void;
  /** Owns the plain stream once it has begun. */
  #handshake: Handshake | null = null;
  #peer: ProvenPeer | null = null;
  #server: ServerConnection | null = null;
  #tls: TlsPeer | null = null;
  readonly #number: number;
  #stopWatching: () => void = () => {};

  /** `onEnd` is called once, when the connection has ended. */
  constructor(context: PodContext, plain: Duplex, onEnd: () => void) {
    super(context);
    this.#plain = plain;
    this.#onEnd = onEnd;
    this.#number = context.loop.nextConnectionNumber();
    context.connections.unproven.add(this, context.loop.network.now());
  }

  /** The end of HTTP/2 or of the handshake has a line of its own. */
  protected override logEnd(): void {}

  override get tls(): ConnectionFacts["tls"] {
    return this.#tls;
  }

  override get carrier(): number {
    return this.#number;
  }

  override get summary(): null {
    return null;
  }

  override get flow(): FlowParts | null {
    return this.phase === "open" ? null : super.flow;
  }

  /** Its lines name the peer in their fields: the span `inbound` belongs to each stream. */
  override get log(): LogScope {
    return this.context.log.as("ztunnel::proxy::inbound");
  }

  /** GOAWAY; streams go on. A handshake in progress is given up. */
  drain(): void {
    if (this.#server !== null) this.#server.drain();
    else this.cut(null);
  }

  abandon(reason: string): void {
    this.#server?.revoke(reason);
  }

  trusts(chain: readonly Uint8Array[], trust: TrustStore): boolean {
    return !isRefusal(this.#verify(chain, this.#peer!.credential.id, trust));
  }

  /** Null before the handshake begins: until then the peer waits for us. */
  get peerSince(): Millis | null {
    return this.#handshake?.peerSince ?? null;
  }

  evict(): void {
    const why = this.peerSince === null ? "gave way to newcomers" : "too slow";
    this.#fail(`${why} while more than ${MOST} peers have not proven who they are`, { by: "us", how: "limit" });
  }

  protected get direction(): "inbound" {
    return "inbound";
  }

  protected get source(): SocketAddress {
    return this.#plain.remote;
  }

  protected get destination(): SocketAddress {
    return this.#plain.local;
  }

  protected resolve(local: Workload): void {
    const id = identityOf(local);
    if (id === null) return this.refuse(`signing error: workload ${local.uid} has no valid identity`, NO_IDENTITY);
    const stop = this.context.credentials.get(id, {
      onCredential: (credential) => this.#secure(credential),
      onCredentialFailure: (message) => this.refuse(`signing error: ${message}`, NO_IDENTITY),
    });
    if (this.phase === "resolving") this.enter("resolving", { abort: stop });
  }

  #secure(credential: Credential): void {
    const { loop, settings } = this.context;
    try {
      this.#handshake = loop.network.secure(this.#plain, credential.context, "server", settings.handshakeTimeout, {
        accept: (chain) => this.#accept(chain, credential),
        explain: (leaf) => explainLeaf(leaf, credential.trust, this.context.wallClock()),
        onSecure: (duplex, tls) => this.#serve(duplex, tls),
        onSecureFailure: (ending) => this.#fail(ending.message, handshakeCause(ending)),
      });
    } catch (error) {
      return this.refuse(`ssl error: ${error instanceof Error ? error.message : String(error)}`, TLS_FAILED);
    }
    this.enter("handshaking", this.#handshake);
  }

  /** Verifies the peer in the middle of the handshake. Returns null, or why it is refused. */
  #accept(chain: readonly Uint8Array[], credential: Credential): PeerRefusal | null {
    const verdict = this.#verify(chain, credential.id, credential.trust);
    if (isRefusal(verdict)) return verdict;
    this.#peer = { credential, identity: verdict.id, notAfter: verdict.notAfter };
    return null;
  }

  /** `own`: our id. */
  #verify(chain: readonly Uint8Array[], own: SpiffeId, trust: TrustStore) {
    const { wallClock, peers, settings } = this.context;
    // Federated domains have bundles of their own (`docs/spec/identity-spire.md` 6.5).
    const trustDomain = trustDomainOf(own);
    const aliases = [...trust.trustDomains, ...settings.trustDomains.of(trustDomain)];
    return peers.verify(chain, "client", trust, { kind: "trust-domain", trustDomain, aliases }, wallClock());
  }

  #serve(duplex: Duplex, tls: TlsPeer): void {
    const proven = this.#peer;
    // The library calls `accept` for every path before it reports a peer as secure. All access control relies on that,
    // so it is checked here too.
    if (proven === null || tls.chain.length === 0) {
      duplex.close(true);
      return this.#fail("the handshake ended without a certificate of the peer", TLS_FAILED);
    }
    this.enter("open", null);
    this.#tls = tls;
    this.context.connections.unproven.delete(this);
    this.#logEstablished(proven, tls);
    const { identity } = proven;
    const { loop, settings: { http2 }, connections, peers, wallClock } = this.context;
    const sharedResets = connections.cutPeers.resetsOf(identity, this.source.ip, loop.network.now());
    const options = sharedResets === null ? http2 : { ...http2, limits: STRICT_LIMITS, sharedResets };
    const server = new ServerConnection(loop, duplex, identity, options, {
      onRequest: (stream, headers) => new InboundStream(this.context, peer, stream, headers).start(),
      onClosed: (failure) => this.#closed(failure),
    });
    this.#server = server;
    const peer = {
      address: duplex.remote,
      local: duplex.local,
      identity,
      tls,
      number: this.#number,
      get mayResetSoon() {
        return server.mayResetSoon;
      },
    };
    const certificates = { ...proven, chain: tls.chain, role: "client" } as const;
    this.#stopWatching = watchCertificates(certificates, peers.revocation, loop.network, wallClock, this);
  }

  #logEstablished({ identity }: ProvenPeer, { version, cipher, group }: TlsPeer): void {
    const { log } = this;
    if (!log.isEnabled(LEVEL.debug)) return;
    const peer = bare(formatAddress(this.source));
    const connection = this.#number;
    log.debug("HBONE connection established", { peer, identity, connection, version, cipher, group });
  }

  /** HTTP/2 has ended. The log has the reason where a peer has violated the protocol. */
  #closed(failure: H2Failure): void {
    const { lines, connections, loop } = this.context;
    const { identity } = this.#peer!;
    if (failure.by === "us" && failure.code === ErrorCode.ENHANCE_YOUR_CALM) {
      connections.cutPeers.add(identity, this.source.ip, loop.network.now());
    }
    const { log } = this;
    const peer = { peer: bare(formatAddress(this.source)), identity, connection: this.#number };
    if (failure.by !== "us") log.debug(`HBONE connection ended: ${failure.reason}`, peer);
    else if (isTakenBack(failure.reason)) lines.warn("revoked", log, failure.reason, peer);
    else if (failure.code !== ErrorCode.NO_ERROR) {
      const message = `HBONE connection closed: ${failure.reason}`;
      // There are few reasons of our own.
      lines.warn(message, log, message, peer);
    } else log.debug(`HBONE connection closed: ${failure.reason}`, peer);
    this.finish(null, http2Cause(failure, "peer"));
  }

  #fail(reason: string, cause: EndingCause): void {
    this.refuse(`tls handshake error: ${reason}`, cause);
  }

  protected reset(): void {
    this.#server?.close();
  }

  protected release(): void {
    this.#stopWatching();
    this.#server?.close();
    if (this.#handshake === null) this.#plain.close();
    this.context.connections.unproven.delete(this);
    this.#onEnd();
  }
}
