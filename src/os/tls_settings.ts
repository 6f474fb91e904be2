/** What TLS contexts are made from. */

/** The role of one end in a handshake. */
export type TlsRole = "client" | "server";

/** Our certificate, its key and the trust anchors for peers. */
export interface NativeTlsSettings {
  /** DER, leaf first. */
  readonly chain: readonly Uint8Array[];
  /** PKCS#8 DER. */
  readonly key: Uint8Array;
  /** DER. */
  readonly anchors: readonly Uint8Array[];
}

/** Versions, cipher suites and groups. `TlsPolicy` in `net/tls_context.ts` describes the fields. */
export interface NativeTlsPolicy {
  readonly ciphers: string;
  readonly tls12Ciphers: string | null;
  readonly groups: readonly string[];
}

/** The TLS library did not accept a certificate, a key, or a name of a cipher suite or group. */
export class TlsSettingsError extends Error {
  override readonly name = "TlsSettingsError";
}
