/**
 * Calls to one control-plane service: istiod, Istio's CA, a SPIRE agent. Main isolate only.
 *
 * The runtime's HTTP/2 and TLS are loaded by the first call: a proxy that lives from a file does not pay for them.
 * gRPC on top of them is our own, as the usual library puts each message together in one piece, which stops the loop
 * for a second per 200 MB (`docs/architecture.md`).
 */
import type { Header, TokenSource } from "../config/config.ts";
import type { Certificate } from "../identity/certificate.ts";
import type { PeerRefusal } from "../net/tls_context.ts";
import type { ByteBlocks } from "./byte_blocks.ts";
import type { Target } from "./target.ts";

/** Wall-clock time in ms, and timers. */
export interface Clock {
  now(): number;
  after(delay: number, run: () => void): { cancel(): void };
}

export const SYSTEM_CLOCK: Clock = {
  now: Date.now,
  after(delay, run) {
    const timer = setTimeout(run, delay);
    return { cancel: () => clearTimeout(timer) };
  },
};

/** What TLS needs for one connection. */
export interface TlsMaterial {
  /** Those who are trusted; at least one. */
  readonly anchors: readonly Certificate[];
  /** Where trust comes from, for errors: `root certificates in "/etc/root.pem" (XDS_ROOT_CA)`. */
  readonly anchorsFrom: string;
  /** For mutual TLS. `chain`: DER, leaf first. `key`: PKCS#8 DER. */
  readonly credentials: { readonly chain: readonly Uint8Array[]; readonly key: Uint8Array } | null;
  /** Null where the server is known by an address. */
  readonly serverName: string | null;
  /** TLS 1.2 besides 1.3. */
  readonly tls12: boolean;
  /** Decides on the server's path, leaf first, anchor last, whose signatures, validity and usage are in order. */
  readonly accept: (path: readonly Certificate[]) => PeerRefusal | null;
}

/** How the server proves who it is: by name (`server_trust.ts`), or in another way. */
export interface TlsSecurity {
  /** Asked for each connection. Rejects with {@link GrpcError} of stage `setup`. */
  material(): Promise<TlsMaterial>;
  /** Whether a connection made with `material` is as good as a new one. Does not reject. */
  isCurrent(material: TlsMaterial): Promise<boolean>;
}

export interface ChannelOptions {
  readonly target: Target;
  /** Null: plaintext, which is for Unix sockets and loopback. */
  readonly security: TlsSecurity | null;
  /** Sent with each call. */
  readonly headers: readonly Header[];
  /** Read for each call; null: no credentials are sent. */
  readonly token: { readonly source: TokenSource; readonly clusterId: string } | null;
  /** Bytes of the longest message that is taken; default 4 MB. */
  readonly messageLimit?: number;
  /** PING while calls are open; default every 30 s, 10 s to answer. */
  readonly keepalive?: { readonly interval: number; readonly timeout: number };
  /** ms for name resolution and TCP, default 5000; TLS and the HTTP/2 preface have 10,000 each. */
  readonly connectTimeout?: number;
  readonly clock?: Clock;
  /** Told what is wrong and does no harm yet: that new roots do not work, say. */
  readonly warn?: (text: string) => void;
}

export interface CallOptions {
  /** ms for the whole call; also told to the server. */
  readonly timeout?: number;
  readonly headers?: readonly Header[];
}

/** One stream of messages in either direction. */
export interface GrpcCall {
  /**
   * The next message; null once the call ended with OK. Nothing more is taken from the network than the one that is
   * asked for and what the window holds, and what arrived while nobody was reading may be lost with the call. One read
   * at a time. Rejects with {@link GrpcError}.
   */
  read(): Promise<ByteBlocks | null>;
  /** Fulfilled once the transport took it; also where the call has ended, which `read` tells. */
  send(message: Uint8Array): Promise<void>;
  /** Nothing more will be sent. */
  end(): void;
  /** Ends the call at once; `read` rejects with `Cancelled`. Idempotent. */
  cancel(): void;
}

/** A connection is made by the first call, shared by later ones and made anew once it is lost. */
export interface GrpcChannel {
  /**
   * Begins a call; fulfilled when the request's headers are on their way. `method`: `/package.Service/Method`. Rejects
   * with {@link GrpcError}, or the signal's reason; the signal cancels the call later on, too.
   */
  open(method: string, options?: CallOptions, signal?: AbortSignal): Promise<GrpcCall>;
  /** One message there, one back. Rejects like {@link open}. */
  unary(method: string, request: Uint8Array, options?: CallOptions, signal?: AbortSignal): Promise<Uint8Array>;
  /** One message there, many back: nothing more is sent on the call. */
  serverStream(method: string, request: Uint8Array, options?: CallOptions, signal?: AbortSignal): Promise<GrpcCall>;
  /** Open calls are cancelled, later ones rejected. Idempotent. */
  close(): void;
}
