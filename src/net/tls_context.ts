/** What a TLS endpoint needs, independent of the TLS library. */

/** Why a peer was refused. `code` is stable; `message` is for the log. */
export interface PeerRefusal {
  readonly code: string;
  readonly message: string;
}

/** A `code` with its own alert, certificate_revoked (RFC 8446 §6.2). */
export const REVOKED = "REVOKED";

/** The result of a handshake. */
export interface TlsPeer {
  /** The path that was verified, DER, leaf first, trust anchor last. */
  readonly chain: readonly Uint8Array[];
  /** Such as `TLSv1.3`. */
  readonly version: string;
  /** Such as `TLS_AES_256_GCM_SHA384`. */
  readonly cipher: string;
  /** Such as `x25519` or `X25519MLKEM768`; empty when the library has no names. */
  readonly group: string;
}

/** What all contexts have in common. The names are those of OpenSSL, in order of preference. */
export interface TlsPolicy {
  /** Cipher suites of TLS 1.3. */
  readonly ciphers: string;
  /** Cipher suites of TLS 1.2; null: only TLS 1.3 is allowed. */
  readonly tls12Ciphers: string | null;
  /** Lists of key exchange groups, such as `X25519:P-256`. The first list that the library supports is used. */
  readonly groups: readonly string[];
}

/** Our certificate, and the peers that are accepted. */
export interface TlsSettings {
  /** DER, leaf first, without the trust anchor. */
  readonly chain: readonly Uint8Array[];
  /** PKCS#8 DER. Never logged, never dumped. */
  readonly key: Uint8Array;
  /** DER of every trust anchor of every bundle. */
  readonly anchors: readonly Uint8Array[];
  /**
   * Called during the handshake, when the library has verified signatures, validity and purpose. A refusal is sent as a
   * TLS alert. `chain` is the verified path, leaf first, anchor last. `role`: the peer's.
   */
  readonly accept: (chain: readonly Uint8Array[], role: "client" | "server") => PeerRefusal | null;
}

/** A context of the TLS library: one for each certificate and set of anchors, for both roles. */
export interface TlsContext {
  readonly settings: TlsSettings;
  /** Frees native memory when the last connection made from it has ended. Idempotent. */
  close(): void;
}
