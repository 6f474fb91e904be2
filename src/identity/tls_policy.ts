/** The TLS versions, cipher suites and groups of mTLS (`docs/spec/identity-spire.md` 6.1), in OpenSSL's names. */
import type { TlsPolicy as TlsSettings } from "../config/config.ts";
import type { TlsPolicy } from "../net/tls_context.ts";

/** TLS 1.3, strongest first, as the Rust ztunnel sends them; no ChaCha20. */
const CIPHERS = "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256";

/** TLS 1.2, with `TLS12_ENABLED=true`. */
export const TLS12_CIPHERS = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:" +
  "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256";

/** The hybrid post-quantum group. */
export const POST_QUANTUM_GROUP = "X25519MLKEM768";

/** No finite fields: with `ffdhe8192` any peer could make this process compute for milliseconds per handshake. */
const CLASSIC_GROUPS = "X25519:P-256:P-384";
const FIPS_GROUPS = "P-256:P-384";

/**
 * Returns the policy for these settings. A TLS library that supports none of the lists of groups must fail at start and
 * not use its own default (`docs/spec/identity-spire.md` S42).
 */
export function tlsPolicy(
  { tls12, postQuantumOnly, fips }: Pick<TlsSettings, "tls12" | "postQuantumOnly" | "fips">,
): TlsPolicy {
  return { ciphers: CIPHERS, tls12Ciphers: tls12 ? TLS12_CIPHERS : null, groups: groups(postQuantumOnly, fips) };
}

/** Returns the lists in the order in which they are tried. */
function groups(postQuantumOnly: boolean, fips: boolean): readonly string[] {
  if (postQuantumOnly) return [POST_QUANTUM_GROUP];
  return fips ? [FIPS_GROUPS] : [`${CLASSIC_GROUPS}:${POST_QUANTUM_GROUP}`, CLASSIC_GROUPS];
}
