/**
 * Opens the TLS library with the policy that it has to follow. Where it cannot, the start fails: a weaker policy is
 * never used instead (`docs/spec/identity-spire.md` S42).
 */
import type { TlsPolicy } from "../config/config.ts";
import { tlsPolicy } from "../identity/tls_policy.ts";
import { TlsEngine } from "../net/tls_engine.ts";
import { openTlsLibrary } from "../os/open_tls_library.ts";
import type { TlsLibrary } from "../os/tls_library.ts";

/**
 * `bundled`: path of the library shipped with the executable. It has no FIPS module, so a FIPS policy takes the system's.
 * `library` of the result: its version, and whether only its FIPS module is used. Throws with a text for the operator.
 */
export function startTls(
  settings: TlsPolicy,
  bundled: string | undefined,
): { readonly engine: TlsEngine; readonly library: string } {
  const library = openTlsLibrary(settings.library ?? undefined, settings.fips ? undefined : bundled);
  if (settings.fips) enterFips(library);
  try {
    const engine = new TlsEngine(library, tlsPolicy(settings));
    return { engine, library: settings.fips ? `${library.version}, its FIPS module only` : library.version };
  } catch (error) {
    throw cannot(library, wishOf(settings), error instanceof Error ? error.message : String(error));
  }
}

function enterFips(library: TlsLibrary): void {
  const problem = library.enterFips();
  if (problem === null) return;
  throw cannot(library, "COMPLIANCE_POLICY asks for; set TLS_LIBRARY to a library with a FIPS module", problem);
}

function wishOf({ postQuantumOnly }: TlsPolicy): string {
  return postQuantumOnly
    ? "COMPLIANCE_POLICY=pqc asks for; set TLS_LIBRARY to AWS-LC (tools/build_aws_lc.sh builds it) or OpenSSL 3.5"
    : "the TLS policy asks for";
}

function cannot({ version, path }: TlsLibrary, wish: string, cause: string): Error {
  return new Error(`${version} (${path}) cannot do what ${wish}: ${cause}`);
}
