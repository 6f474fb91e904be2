/**
 * Finds and opens the TLS library: the path given (`TLS_LIBRARY`), the one bundled into the executable, or the system's
 * `libssl.so.3`. OpenSSL 3 and BoringSSL are distinguished by what they export.
 */
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
    return isBoringSsl(named) ? openBoringSsl(named) : openOpenSsl(named, named);
  } catch (error) {
    throw new TlsLibraryError(libraryProblem(error instanceof Error ? error.message : String(error), named));
  }
}

function isBoringSsl(path: string): boolean {
  const mark = { BORINGSSL_self_test: { parameters: [], result: "i32", optional: true } } as const;
  const library = Deno.dlopen(path, mark);
  const found = library.symbols.BORINGSSL_self_test !== null;
  library.close();
  return found;
}

const PACKAGES = "Debian 13: apt-get install libssl3t64, Debian 12 and Ubuntu 22.04: libssl3";

/** The text of a {@link TlsLibraryError}: what failed and how to mend it. `named`: the path that was set. */
export function libraryProblem(cause: string, named: string | undefined): string {
  const cure = named === undefined
    ? `install OpenSSL 3 (${PACKAGES}) or set TLS_LIBRARY`
    : `TLS_LIBRARY must be the path of an OpenSSL 3 library or of BoringSSL's libssl, not "${named}"; ` +
      `without it the system's OpenSSL 3 is used (${PACKAGES})`;
  return `no usable TLS library: ${cause}; ${cure}`;
}
