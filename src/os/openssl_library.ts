/** Opens OpenSSL 3 through FFI. */
import { cString, readCString } from "./libc.ts";
import { openMixed } from "./rare_functions.ts";
import { failureOfOpenSsl } from "./tls_failure.ts";
import type { TlsLibrary } from "./tls_library.ts";
import { type Crypto, openSslCryptoSymbols, openSslSymbols, RARELY_CALLED } from "./tls_symbols.ts";

/**
 * Opens libssl and libcrypto, which may be one file. Throws the system loader's error when a file or a function is
 * missing.
 */
export function openOpenSsl(sslPath: string, cryptoPath: string): TlsLibrary {
  const crypto = openMixed(cryptoPath, openSslCryptoSymbols, RARELY_CALLED);
  const ssl = openMixed(sslPath, openSslSymbols, RARELY_CALLED);
  let isFips = false;
  return {
    ssl,
    crypto,
    version: readCString(crypto.OpenSSL_version(0)),
    path: sslPath,
    buffersSockets: true,
    showsSecrets: () => !isFips,
    failureOf: failureOfOpenSsl,
    enterFips() {
      const problem = enterFips(crypto);
      isFips = problem === null;
      return problem;
    },
  };
}

/** Only some distributions have the module, and `openssl fipsinstall` must have been run after its installation. */
const FIPS_CURE = "It is fips.so in OPENSSL_MODULES (Debian 13: apt-get install openssl-provider-fips), " +
  "`openssl fipsinstall` writes its configuration, and OPENSSL_CONF names a file that includes this";

/** The provider "base" reads and writes keys and certificates; it contains no algorithms. */
function enterFips(crypto: Crypto): string | null {
  crypto.ERR_clear_error();
  const loaded = ["fips", "base"].every((name) => crypto.OSSL_PROVIDER_load(null, cString(name)) !== null);
  if (loaded && crypto.EVP_default_properties_enable_fips(null, 1) === 1) return null;
  const reason = readCString(crypto.ERR_reason_error_string(crypto.ERR_get_error()));
  crypto.ERR_clear_error();
  return `its FIPS provider cannot be loaded (${reason || "no reason given"}). ${FIPS_CURE}`;
}
