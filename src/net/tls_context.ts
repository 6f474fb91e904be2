/** What a TLS endpoint is made of, independent of the engine. */

/** Why a peer was refused. `code` is stable; `message` is for the log. */
export interface PeerRefusal {
  readonly code: string;
  readonly message: string;
}

/** The one code that has an alert of its own (RFC 8446 §6.2). */
export const REVOKED = "REVOKED";

/** What the handshake found out about the peer. */
export interface TlsPeer {
  /** The path that was verified, DER, leaf first, trust anchor last. */
  readonly chain: readonly Uint8Array[];
  /** `TLSv1.3` */
  readonly version: string;
  /** `TLS_AES_256_GCM_SHA384` */
  readonly cipher: string;
  /** `x25519`, `X25519MLKEM768`; empty where the engine cannot say. */
  readonly group: string;
}

/** What all contexts of an engine have in common, in OpenSSL's names and in order of preference. */
export interface TlsPolicy {
  /** Of TLS 1.3. */
  readonly ciphers: string;
  /** Allows TLS 1.2, with these suites; null: 1.3 only. */
  readonly tls12Ciphers: string | null;
  /** Lists of key exchange groups, such as `X25519:P-256`. The first that the library knows is used. */
  readonly groups: readonly string[];
}

export interface TlsSettings {
  /** DER, leaf first, without the trust anchor. */
  readonly chain: readonly Uint8Array[];
  /** PKCS#8 DER. Never logged, never dumped. */
  readonly key: Uint8Array;
  /** DER of every trust anchor of every bundle. */
  readonly anchors: readonly Uint8Array[];
  /**
   * Asked during the handshake, after the engine verified signatures, validity and purpose. A refusal becomes a TLS
   * alert. `chain` is the verified path, leaf first, anchor last.
   */
  readonly accept: (chain: readonly Uint8Array[], role: "client" | "server") => PeerRefusal | null;
}

/** An engine's ready-made context: one per certificate and set of anchors, for both roles. */
export interface TlsContext {
  readonly settings: TlsSettings;
  /** Frees native memory once the last connection made from it is gone. Idempotent. */
  close(): void;
}
