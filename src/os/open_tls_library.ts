/**
 * Finds and opens the TLS library: the path given (`TLS_LIBRARY`), the one bundled into the executable, or the system's
 * `libssl.so.3`. OpenSSL 3, BoringSSL and AWS-LC are distinguished by what they export.
 */
import { openAwsLc } from "./aws_lc_library.ts";
import { openBoringSsl } from "./boringssl_library.ts";
import { openOpenSsl } from "./openssl_library.ts";
import type { TlsLibrary } from "./tls_library.ts";

/** There is no usable TLS library; the message says how to get one. */
export class TlsLibraryError extends Error {
  override readonly name = "TlsLibraryError";
}

/**
 * Opens the first of `paths` that is set, else the system's library. A path that was set and cannot be opened is an
 * error: no other library is used in its place. Throws {@link TlsLibraryError}.
 */
export function openTlsLibrary(...paths: readonly (string | undefined)[]): TlsLibrary {
  const named = paths.find((path) => path !== undefined && path !== "");
  try {
    if (named === undefined) return openOpenSsl("libssl.so.3", "libcrypto.so.3");
    if (exports(named, "awslc_api_version_num")) return openAwsLc(named);
    return exports(named, "BORINGSSL_self_test") ? openBoringSsl(named) : openOpenSsl(named, named);
  } catch (error) {
    throw new TlsLibraryError(libraryProblem(error instanceof Error ? error.message : String(error), named));
  }
}

function exports(path: string, name: string): boolean {
  const library = Deno.dlopen(path, { [name]: { type: "pointer", optional: true } });
  const found = library.symbols[name] !== null;
  library.close();
  return found;
}

const PACKAGES = "Debian 13: apt-get install libssl3t64, Debian 12 and Ubuntu 22.04: libssl3";

/** The text of a {@link TlsLibraryError}: what failed and how to mend it. `named`: the path that was set. */
export function libraryProblem(cause: string, named: string | undefined): string {
  const cure = named === undefined
    ? `install OpenSSL 3 (${PACKAGES}) or set TLS_LIBRARY`
    : `TLS_LIBRARY must be the path of an OpenSSL 3 library, of AWS-LC or of BoringSSL's libssl, not "${named}"; ` +
      `without it the system's OpenSSL 3 is used (${PACKAGES})`;
  return `no usable TLS library: ${cause}; ${cure}`;
}
