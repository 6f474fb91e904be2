/** An open TLS library, with the functions and the behaviour of OpenSSL 3. */
import type { TlsFailure } from "./tls_failure.ts";
import type { Crypto, Ssl } from "./tls_symbols.ts";

/** Made by `openOpenSsl` and `openBoringSsl`. The library stays in the process for good. */
export interface TlsLibrary {
  readonly ssl: Ssl;
  readonly crypto: Crypto;
  /** As the library writes it: `OpenSSL 3.5.5 27 Jan 2026`. */
  readonly version: string;
  /** The path of libssl that was given to the system's loader. */
  readonly path: string;
  /** True: sessions write to their socket through a buffer. False: sessions are in memory, the caller moves the bytes. */
  readonly buffersSockets: boolean;
  /**
   * Sessions of TLS 1.3 show their traffic secrets after the handshake, and the library's ciphers may be used with them.
   * False for a FIPS module: it must make the nonces itself.
   */
  readonly showsSecrets: () => boolean;
  /**
   * Translates a code of the library's error queue and its text. Null: the code is not one of the TLS layer, and so it
   * is only a detail of another entry.
   */
  readonly failureOf: (code: number, text: string) => TlsFailure | null;
  /** Makes this process use the library's FIPS module and nothing else. Returns null, or why that is not possible. */
  readonly enterFips: () => string | null;
}
