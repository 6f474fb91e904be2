/** The TLS library and the policy it has to follow. What it cannot do ends the start, never in something weaker (S42). */
import type { TlsPolicy } from "../config/config.ts";
import { tlsPolicy } from "../identity/tls_policy.ts";
import { TlsEngine } from "../net/tls_engine.ts";
import { openTlsLibrary } from "../os/openssl_library.ts";

/**
 * `bundled`: path of the library shipped with the executable. `library` of the result is its version. Throws with a text
 * for the operator.
 */
export function startTls(
  settings: TlsPolicy,
  bundled: string | undefined,
): { readonly engine: TlsEngine; readonly library: string } {
  const library = openTlsLibrary(settings.library ?? undefined, bundled);
  try {
    return { engine: new TlsEngine(library, tlsPolicy(settings)), library: library.version };
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new Error(`${library.version} (${library.path}) cannot do what ${cureOf(settings)}: ${cause}`);
  }
}

function cureOf({ postQuantumOnly }: TlsPolicy): string {
  return postQuantumOnly
    ? "COMPLIANCE_POLICY=pqc asks for; set TLS_LIBRARY to OpenSSL 3.5 or later (tools/build_openssl.sh builds one)"
    : "the TLS policy asks for";
}
