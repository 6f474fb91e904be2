/**
 * The interface for calls to one control-plane service: istiod, Istio's CA, a SPIRE agent. Main isolate only.
 *
 * The runtime's HTTP/2 and TLS are loaded by the first call, so that a proxy with a static file does not load them. The
 * gRPC layer is implemented here since a large message takes two thirds of the memory that it takes with the usual
 * library, and pauses the loop for a tenth of the time (`docs/architecture.md`, Dependencies).
 */
import type { Header, TokenSource } from "../config/config.ts";
import type { Certificate } from "../identity/certificate.ts";
import type { WallClock } from "../net/clock.ts";
import type { PeerRefusal } from "../net/tls_context.ts";
import type { ByteBlocks } from "./byte_blocks.ts";
import type { Target } from "./target.ts";

/** The inputs of TLS for one connection. */
export interface TlsMaterial {
  /** The trusted roots; at least one. */
  readonly anchors: readonly Certificate[];
  /** The origin of the roots, for errors: `root certificates in "/etc/root.pem" (XDS_ROOT_CA)`. */
  readonly anchorsFrom: string;
  /** The client certificate; null: none. `chain`: DER, leaf first. `key`: PKCS#8 DER. */
  readonly credentials: { readonly chain: readonly Uint8Array[]; readonly key: Uint8Array } | null;
  /** The name for SNI; null where the target is an address. */
  readonly serverName: string | null;
  /** Allows TLS 1.2 besides 1.3. */
  readonly tls12: boolean;
  /** Checks the server's path, leaf first, anchor last; signatures, validity and usage have been verified. */
  readonly accept: (path: readonly Certificate[]) => PeerRefusal | null;
}

/** How the server is verified: by name (`server_trust.ts`), or by its SPIFFE id. */
export interface TlsSecurity {
  /** Called for each new connection. Rejects with {@link GrpcError} of stage `setup`. */
  material(): Promise<TlsMaterial>;
  /** Returns whether a connection made with `material` may be kept: the roots have not changed. Does not reject. */
  isCurrent(material: TlsMaterial): Promise<boolean>;
}

/** The settings of a channel. */
export interface ChannelOptions {
  readonly target: Target;
  /** Null: plaintext, which is for Unix sockets and loopback. */
  readonly security: TlsSecurity | null;
  /** Sent with each call. */
  readonly headers: readonly Header[];
  /** Read for each call; null: no credentials are sent. */
  readonly token: { readonly source: TokenSource; readonly clusterId: string } | null;
  /** The length of the longest accepted message in bytes; default 4 MB. */
  readonly messageLimit?: number;
  /** PING while calls are open, in ms; default every 30 s, with 10 s for the answer. */
  readonly keepalive?: { readonly interval: number; readonly timeout: number };
  /** ms for name resolution and TCP, default 5000; TLS and the HTTP/2 preface have 10,000 each. */
  readonly connectTimeout?: number;
  readonly clock?: WallClock;
  /** Called for problems that do not fail the call, for example new roots that cannot be used. */
  readonly warn?: (text: string) => void;
}

/** The settings of a call. */
export interface CallOptions {
  /** ms for the whole call; also sent to the server. */
  readonly timeout?: number;
  readonly headers?: readonly Header[];
}

/** One stream of messages in either direction. */
export interface GrpcCall {
  /**
   * Returns the next message; null after the call has ended with OK. Between reads at most a window of data is received.
   * Messages that were not read when the call fails may be lost. One read at a time. Rejects with {@link GrpcError}.
   */
  read(): Promise<ByteBlocks | null>;
  /** Resolves when the transport has accepted the message, or when the call has ended; `read` returns the outcome. */
  send(message: Uint8Array): Promise<void>;
  /** Closes the sending direction. */
  end(): void;
  /** Ends the call at once; `read` rejects with `Cancelled`. Idempotent. */
  cancel(): void;
}

/** Calls to one server. The first call opens a connection, later calls share it; a lost one is replaced. */
export interface GrpcChannel {
  /**
   * Begins a call; resolves when the request's headers were sent. `method`: `/package.Service/Method`. Rejects with
   * {@link GrpcError}, or the signal's reason; the signal also cancels the open call.
   */
  open(method: string, options?: CallOptions, signal?: AbortSignal): Promise<GrpcCall>;
  /** Sends one message and returns the only response. Rejects like {@link open}. */
  unary(method: string, request: Uint8Array, options?: CallOptions, signal?: AbortSignal): Promise<Uint8Array>;
  /** Sends one message, closes the sending direction and returns the call. Rejects like {@link open}. */
  serverStream(method: string, request: Uint8Array, options?: CallOptions, signal?: AbortSignal): Promise<GrpcCall>;
  /** Cancels open calls and rejects later ones. Idempotent. */
  close(): void;
}
