/**
 * HBONE from peers, port 15008: TLS with the pod's certificate, then HTTP/2 (`docs/spec/dataplane.md` 1.7, 1-5).
 *
 *     accepted ──▶ local workload ──▶ certificate ──▶ handshake ──▶ serving ──▶ done
 *         └───────────────┴────── refused, drained ───────┴──────────────────────▲
 */
import type { Credential } from "../hbone/credentials.ts";
import { afterExpiry } from "../hbone/expiry.ts";
import { isTakenBack, REVOKED, WITHDRAWN } from "../hbone/failure.ts";
import { ServerConnection } from "../hbone/server_connection.ts";
import { explainLeaf } from "../identity/explain_leaf.ts";
import { isRefusal } from "../identity/peer_chain.ts";
import { type SpiffeId, trustDomainOf } from "../identity/spiffe_id.ts";
import type { TrustStore } from "../identity/trust_bundles.ts";
import type { Workload } from "../mesh/model/model.ts";
import { identityOf } from "../mesh/model/workload_identity.ts";
import { STRICT_LIMITS } from "../h2/limits.ts";
import { ErrorCode, type H2Failure } from "../h2/seam.ts";
import { formatAddress } from "../net/address.ts";
import type { Duplex } from "../net/duplex.ts";
import type { Handshake, Millis } from "../net/network.ts";
import type { PeerRefusal, TlsPeer } from "../net/tls_context.ts";
import { bare } from "../telemetry/log_fields.ts";
import { LEVEL } from "../telemetry/log_level.ts";
import type { LiveConnection } from "./connections.ts";
import { InboundStream } from "./inbound_stream.ts";
import type { PodContext } from "./pod_context.ts";
import { MOST, type UnprovenPeer } from "./unproven.ts";

/** One TCP connection of a peer, from accept to its end. */
export class InboundTunnel implements LiveConnection, UnprovenPeer {
  readonly #context: PodContext;
  readonly #plain: Duplex;
  readonly #onEnd: () => void;
  registration = 0;
  #abort: () => void = () => {};
  /** The tunnel owns the plain stream from the beginning. */
  #handshake: Handshake | null = null;
  #server: ServerConnection | null = null;
  #identity: SpiffeId | null = null;
  /** ms since the epoch: when the first certificate of the peer's path expires. */
  #notAfter = Infinity;
  #credential: Credential | null = null;
  #done = false;
  #unwatch: () => void = () => {};

  constructor(context: PodContext, plain: Duplex, onEnd: () => void) {
    this.#context = context;
    this.#plain = plain;
    this.#onEnd = onEnd;
    context.connections.addSocket(this);
    context.connections.unproven.add(this, context.loop.network.now());
  }

  start(): void {
    const { local } = this.#context;
    const known = local.current;
    if (known !== null) return this.#fetchCredential(known);
    this.#abort = local.wait((workload) => {
      if (workload === null) this.#refuse(local.unknownMessage);
      else this.#fetchCredential(workload);
    });
  }

  /** GOAWAY; streams go on. A handshake still under way is given up. */
  drain(): void {
    if (this.#server !== null) this.#server.drain();
    else this.cut();
  }

  cut(): void {
    if (this.#done) return;
    this.#server?.close();
    this.#end();
  }

  /** Before the handshake begins, the peer waits for something on our side. */
  get peerSince(): Millis | null {
    return this.#handshake?.peerSince ?? null;
  }

  crowdedOut(): void {
    const why = this.peerSince === null ? "gave way to newcomers" : "too slow";
    this.#refuse(`tls handshake error: ${why} while more than ${MOST} peers have not proven who they are`);
  }

  #fetchCredential(local: Workload): void {
    const id = identityOf(local);
    if (id === null) return this.#refuse(`signing error: workload ${local.uid} has no valid identity`);
    const stop = this.#context.credentials.get(id, {
      onCredential: (credential) => this.#secure(credential),
      onCredentialFailure: (message) => this.#refuse(`signing error: ${message}`),
    });
    if (this.#handshake === null) this.#abort = stop;
  }

  #secure(credential: Credential): void {
    const { loop, settings } = this.#context;
    try {
      const handshake = loop.network.secure(this.#plain, credential.context, "server", settings.handshakeTimeout, {
        accept: (chain) => this.#judge(chain, credential),
        explain: (leaf) => explainLeaf(leaf, credential.trust, this.#context.wallClock()),
        onSecure: (duplex, tls) => this.#serve(duplex, tls),
        onSecureFailure: (ending) => this.#refuse(`tls handshake error: ${ending.message}`),
      });
      this.#handshake = handshake;
      this.#abort = () => handshake.abort();
    } catch (error) {
      this.#refuse(`ssl error: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #judge(chain: readonly Uint8Array[], credential: Credential): PeerRefusal | null {
    const verdict = this.#verify(chain, credential.id, credential.trust);
    if (isRefusal(verdict)) return verdict;
    this.#credential = credential;
    this.#identity = verdict.id;
    this.#notAfter = verdict.notAfter;
    return null;
  }

  /** `own`: our id. */
  #verify(chain: readonly Uint8Array[], own: SpiffeId, trust: TrustStore) {
    const { wallClock, peers, settings } = this.#context;
    // Federated domains have bundles of their own (`docs/spec/identity-spire.md` 6.5).
    const trustDomain = trustDomainOf(own);
    const aliases = [...trust.trustDomains, ...settings.trustDomains.of(trustDomain)];
    return peers.verify(chain, "client", trust, { kind: "trust-domain", trustDomain, aliases }, wallClock());
  }

  #serve(duplex: Duplex, tls: TlsPeer): void {
    this.#abort = () => {};
    const identity = this.#identity;
    // The library calls `accept` for every path before it reports a peer as secure. All access control relies on that,
    // so it is checked here too.
    if (identity === null || tls.chain.length === 0) {
      duplex.close(true);
      return this.#refuse("tls handshake error: the handshake ended without a certificate of the peer");
    }
    this.#context.connections.unproven.delete(this);
    this.#logEstablished(tls);
    const peer = { address: duplex.remote, local: duplex.local, identity };
    const { loop, settings: { http2 }, connections } = this.#context;
    const strict = connections.cutPeers.has(identity, loop.network.now());
    const options = strict ? { ...http2, limits: STRICT_LIMITS } : http2;
    this.#server = new ServerConnection(loop, duplex, identity, options, {
      onRequest: (stream, headers) => new InboundStream(this.#context, peer, stream, headers).start(),
      onClosed: (failure) => this.#closed(failure),
    });
    this.#watch(tls);
  }

  /** Until it has ended. */
  #watch({ chain }: TlsPeer): void {
    const { peers, loop, wallClock } = this.#context;
    const unwatch = peers.revocation.watch(chain, "client", () => this.#server?.revoke(REVOKED));
    const forget = afterExpiry(loop.network, wallClock, this.#notAfter, () => this.#server?.drain());
    const credential = this.#credential!;
    const ignore = credential.watch((trust, cut) => {
      if (cut) return this.#server?.revoke(WITHDRAWN);
      if (trust === null || isRefusal(this.#verify(chain, credential.id, trust))) this.#server?.drain();
    });
    this.#unwatch = () => {
      unwatch();
      forget();
      ignore();
    };
  }

  #logEstablished({ version, cipher, group }: TlsPeer): void {
    const log = this.#context.log.as("ztunnel::proxy::inbound");
    if (!log.isEnabled(LEVEL.debug)) return;
    const peer = bare(formatAddress(this.#plain.remote));
    log.debug("HBONE connection established", { peer, identity: this.#identity, version, cipher, group });
  }

  /** A peer that breaks the rules loses the connection; whoever looks for the reason finds it here. */
  #closed(failure: H2Failure): void {
    const { lines, connections, loop } = this.#context;
    if (failure.by === "us" && failure.code === ErrorCode.ENHANCE_YOUR_CALM) {
      connections.cutPeers.add(this.#identity!, loop.network.now());
    }
    const log = this.#context.log.as("ztunnel::proxy::inbound");
    const peer = { peer: bare(formatAddress(this.#plain.remote)), identity: this.#identity };
    if (failure.by !== "us") log.debug(`HBONE connection ended: ${failure.reason}`, peer);
    else if (isTakenBack(failure.reason)) lines.warn("revoked", log, failure.reason, peer);
    else if (failure.code !== ErrorCode.NO_ERROR) {
      const message = `HBONE connection closed: ${failure.reason}`;
      // There are few reasons of our own.
      lines.warn(message, log, message, peer);
    } else log.debug(`HBONE connection closed: ${failure.reason}`, peer);
    this.#end();
  }

  #refuse(message: string): void {
    if (this.#done) return;
    this.#context.telemetry.refuse("inbound", this.#plain.remote, this.#plain.local, message);
    this.#server?.close();
    this.#end();
  }

  #end(): void {
    if (this.#done) return;
    this.#done = true;
    this.#unwatch();
    this.#abort();
    if (this.#handshake === null) this.#plain.close();
    this.#context.connections.unproven.delete(this);
    this.#context.connections.remove(this);
    this.#onEnd();
  }
}
