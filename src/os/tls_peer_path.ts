/** The certificate path of a peer, verified by the TLS library. */
import { readCString } from "./libc.ts";
import { pointerTo } from "./pointers.ts";
import type { TlsFailure } from "./tls_failure.ts";
import type { TlsLibrary } from "./tls_library.ts";
import type { TlsRole } from "./tls_settings.ts";
import type { TlsThread } from "./tls_thread.ts";
import { pathKey } from "./verified_paths.ts";

/** Used within one call each. */
const DIGEST = new Uint8Array(32);

/** A verified path in DER, leaf first and trust anchor last, or why there is none. */
type PeerPath = { readonly path: readonly Uint8Array[] } | { readonly failure: TlsFailure };

/**
 * Returns the path from the certificate that the peer presented to a trust anchor. Takes it from the cache when the same
 * certificates were verified a short time ago (`verified_paths.ts`). `store`: the X509_STORE_CTX of the verification;
 * `contextNumber`: of the TLS context; `role`: ours.
 */
export function verifiedPath(
  { library, paths, sha256 }: TlsThread,
  contextNumber: number,
  role: TlsRole,
  store: Deno.PointerValue,
): PeerPath {
  const { crypto } = library;
  const digests = presentedCertificates(library, store).map((each) => digest(library, sha256, each));
  const key = digests.includes("") ? null : pathKey(contextNumber, role, digests);
  const now = performance.now();
  const known = key === null ? null : paths.get(key, now);
  if (known !== null) return { path: known };
  if (crypto.X509_verify_cert(store) !== 1) {
    const text = readCString(crypto.X509_verify_cert_error_string(BigInt(crypto.X509_STORE_CTX_get_error(store))));
    return { failure: { kind: "certificate", text, leaf: derOf(library, crypto.X509_STORE_CTX_get0_cert(store)) } };
  }
  const path = derOfAll(library, crypto.X509_STORE_CTX_get0_chain(store));
  if (key !== null) paths.set(key, path, now);
  return { path };
}

/** What the peer sent, leaf first. */
function presentedCertificates({ crypto }: TlsLibrary, store: Deno.PointerValue): Deno.PointerValue[] {
  const presented = crypto.X509_STORE_CTX_get0_untrusted(store);
  const leaf = crypto.X509_STORE_CTX_get0_cert(store);
  const certificates = [leaf];
  const count = presented === null ? 0 : crypto.OPENSSL_sk_num(presented);
  for (let i = 0; i < count; i++) {
    const certificate = crypto.OPENSSL_sk_value(presented, i);
    // The list contains the leaf, too.
    if (!Deno.UnsafePointer.equals(certificate, leaf)) certificates.push(certificate);
  }
  return certificates;
}

/** SHA-256 of a certificate's DER in hexadecimal digits; empty when the TLS library cannot compute it. */
function digest({ crypto }: TlsLibrary, sha256: Deno.PointerValue, certificate: Deno.PointerValue): string {
  return crypto.X509_digest(certificate, sha256, DIGEST, null) === 1 ? DIGEST.toHex() : "";
}

function derOfAll(library: TlsLibrary, stack: Deno.PointerValue): Uint8Array[] {
  const { crypto } = library;
  const length = stack === null ? 0 : Math.max(0, crypto.OPENSSL_sk_num(stack));
  return Array.from({ length }, (_, index) => derOf(library, crypto.OPENSSL_sk_value(stack, index)));
}

function derOf({ crypto }: TlsLibrary, certificate: Deno.PointerValue): Uint8Array {
  const der = new Uint8Array(Math.max(0, crypto.i2d_X509(certificate, null)));
  crypto.i2d_X509(certificate, pointerTo(der));
  return der;
}
