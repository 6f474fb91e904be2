/**
 * Finds the TLS library: the path given (`TLS_LIBRARY`), the one bundled into the executable, the system's
 * `libssl.so.3`. OpenSSL 3 and BoringSSL are told apart by what they export.
 */
import { openBoringSsl } from "./boringssl_library.ts";
import { type Crypto, openOpenSsl, type Ssl } from "./openssl_library.ts";
import type { TlsFailure } from "./tls_failure.ts";

/** An open library, in OpenSSL 3's words. */
export interface TlsLibrary {
  readonly ssl: Ssl;
  readonly crypto: Crypto;
  /** `OpenSSL 3.5.5 27 Jan 2026` */
  readonly version: string;
  readonly path: string;
  /** It can write to a socket through a buffer. Else sessions are in memory, and the caller moves the bytes. */
  readonly buffersSockets: boolean;
  /** Of a code from the error queue and the text that goes with it; null for what the TLS layer did not say. */
  readonly failureOf: (code: number, text: string) => TlsFailure | null;
  /** From now on this process uses the library's FIPS module and nothing else; or the reason why that cannot be. */
  readonly enterFips: () => string | null;
}

/** No usable TLS library; the message says how to get one. */
export class TlsLibraryError extends Error {
  override readonly name = "TlsLibraryError";
}

/**
 * Opens the first of `paths` that is set, else the system's library. A named one that fails is an error, not a reason
 * to take another. Throws {@link TlsLibraryError}.
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

/** What went wrong and what to do about it. `named`: the path that was asked for. */
export function libraryProblem(cause: string, named: string | undefined): string {
  const cure = named === undefined
    ? `install OpenSSL 3 (${PACKAGES}) or set TLS_LIBRARY`
    : `TLS_LIBRARY must be the path of an OpenSSL 3 library or of BoringSSL's libssl, not "${named}"; ` +
      `without it the system's OpenSSL 3 is used (${PACKAGES})`;
  return `no usable TLS library: ${cause}; ${cure}`;
}

/** Text behind a `const char *`; empty for NULL. */
export function readCString(pointer: Deno.PointerValue): string {
  return pointer === null ? "" : new Deno.UnsafePointerView(pointer).getCString();
}
