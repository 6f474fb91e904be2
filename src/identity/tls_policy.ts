/** Which TLS versions, suites and groups the mesh speaks (`docs/spec/identity-spire.md` 6.1), in OpenSSL's names. */
import type { TlsPolicy as TlsSettings } from "../config/config.ts";
import type { TlsPolicy } from "../net/tls_context.ts";

/** As the peers prefer; no ChaCha20. */
export const CIPHERS = "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256";

/** For `TLS12_ENABLED=true`. */
export const TLS12_CIPHERS = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:" +
  "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256";

export const POST_QUANTUM_GROUP = "X25519MLKEM768";

/** No finite fields: `ffdhe8192` would let anybody have us calculate for milliseconds. */
const CLASSIC_GROUPS = "X25519:P-256:P-384";
const FIPS_GROUPS = "P-256:P-384";

/** A library without a group of every list must fail at start, never fall back (S42). */
export function tlsPolicy(
  { tls12, postQuantumOnly, fips }: Pick<TlsSettings, "tls12" | "postQuantumOnly" | "fips">,
): TlsPolicy {
  return { ciphers: CIPHERS, tls12Ciphers: tls12 ? TLS12_CIPHERS : null, groups: groups(postQuantumOnly, fips) };
}

/** Lists to try in turn. */
function groups(postQuantumOnly: boolean, fips: boolean): readonly string[] {
  if (postQuantumOnly) return [POST_QUANTUM_GROUP];
  return fips ? [FIPS_GROUPS] : [`${CLASSIC_GROUPS}:${POST_QUANTUM_GROUP}`, CLASSIC_GROUPS];
}
