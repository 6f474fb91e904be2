/** HBONE from peers, port 15008: TLS with the pod's certificate, then HTTP/2 (`docs/spec/dataplane.md` 1.7, 1-5). */
import type { Credential } from "../hbone/credentials.ts";
import { ServerConnection } from "../hbone/server_connection.ts";
import { isRefusal } from "../identity/peer_chain.ts";
import { type SpiffeId, trustDomainOf } from "../identity/spiffe_id.ts";
import { verifyPeer } from "../identity/verify_peer.ts";
import type { Workload } from "../mesh/model.ts";
import { identityOf } from "../mesh/workload_identity.ts";
import type { Duplex } from "../net/duplex.ts";
import type { PeerRefusal } from "../net/tls_context.ts";
import type { LiveConnection } from "./connections.ts";
import { InboundStream } from "./inbound_stream.ts";
import type { PodContext } from "./pod_context.ts";

/** One TCP connection of a peer, from accept to its end. */
export class InboundTunnel implements LiveConnection {
  readonly #context: PodContext;
  readonly #plain: Duplex;
  readonly #onEnd: (tunnel: InboundTunnel) => void;
  #abort: () => void;
  #server: ServerConnection | null = null;
  #identity: SpiffeId | null = null;
  #done = false;

  constructor(context: PodContext, plain: Duplex, onEnd: (tunnel: InboundTunnel) => void) {
    this.#context = context;
    this.#plain = plain;
    this.#onEnd = onEnd;
    this.#abort = () => plain.close();
    context.connections.add(this);
  }

  start(): void {
    const stop = this.#context.local.get((workload) => {
      if (workload === null) this.#refuse(this.#context.local.unknownMessage);
      else this.#fetchCredential(workload);
    });
    this.#onAbort(stop);
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

  #fetchCredential(local: Workload): void {
    const id = identityOf(local);
    if (id === null) return this.#refuse(`signing error: workload ${local.uid} has no valid identity`);
    const stop = this.#context.credentials.get(id, {
      onCredential: (credential) => this.#secure(credential),
      onCredentialFailure: (message) => this.#refuse(`signing error: ${message}`),
    });
    this.#onAbort(stop);
  }

  #secure(credential: Credential): void {
    const { loop, settings } = this.#context;
    const handshake = loop.network.secure(this.#plain, credential.context, "server", settings.handshakeTimeout, {
      accept: (chain) => this.#judge(chain, credential),
      onSecure: (duplex) => this.#serve(duplex),
      onSecureFailure: (ending) => this.#refuse(`tls handshake error: ${ending.message}`),
    });
    this.#abort = () => handshake.abort();
  }

  #judge(chain: readonly Uint8Array[], credential: Credential): PeerRefusal | null {
    const { wallClock, peers } = this.#context;
    const expected = { kind: "trust-domain", trustDomain: trustDomainOf(credential.id) } as const;
    const verdict = verifyPeer(chain, "client", credential.trust, expected, wallClock(), peers);
    if (isRefusal(verdict)) return verdict;
    this.#identity = verdict.id;
    return null;
  }

  #serve(duplex: Duplex): void {
    const peer = { address: duplex.remote, local: duplex.local, identity: this.#identity! };
    this.#abort = () => {};
    this.#server = new ServerConnection(this.#context.loop, duplex, this.#context.settings.http2, {
      onRequest: (stream, headers) => new InboundStream(this.#context, peer, stream, headers).start(),
      onClosed: () => this.#end(),
    });
  }

  #refuse(message: string): void {
    if (this.#done) return;
    this.#context.telemetry.refuse("inbound", this.#plain.remote, this.#plain.local, message);
    this.#end();
  }

  #end(): void {
    if (this.#done) return;
    this.#done = true;
    this.#abort();
    this.#context.connections.remove(this);
    this.#onEnd(this);
  }

  /** Waits that ended while they were being started have set their own successor already. */
  #onAbort(stop: () => void): void {
    if (this.#done || this.#server !== null) return;
    const next = this.#abort;
    this.#abort = () => {
      stop();
      next();
    };
  }
}
