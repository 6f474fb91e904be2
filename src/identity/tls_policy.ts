/** Which TLS versions, suites and groups the mesh speaks (`docs/spec/identity-spire.md` 6.1), in OpenSSL's names. */

export interface TlsPolicy {
  /** TLS 1.3 suites in order of preference. No ChaCha20. */
  readonly ciphers: string;
  /** The only key exchange groups, or null for the library's default. */
  readonly groups: string | null;
}

export const CIPHERS = "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256";

/** For `TLS12_ENABLED=true`. */
export const TLS12_CIPHERS = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:" +
  "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256";

export const POST_QUANTUM_GROUP = "X25519MLKEM768";

/**
 * `compliance` is the value of `COMPLIANCE_POLICY`: exactly `pqc` allows the post-quantum group only, anything else
 * changes nothing. A library without that group must fail at start, never fall back (S42).
 */
export function tlsPolicy(compliance: string | undefined): TlsPolicy {
  return { ciphers: CIPHERS, groups: compliance === "pqc" ? POST_QUANTUM_GROUP : null };
}
