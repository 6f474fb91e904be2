/** OpenSSL 3 through FFI: the functions that the TLS engine calls. One file may hold both libssl and libcrypto. */
import { cString } from "./libc.ts";
import { failureOfOpenSsl } from "./tls_failure.ts";
import { readCString, type TlsLibrary } from "./tls_library.ts";
import { cryptoSymbols, sslSymbols } from "./tls_symbols.ts";

const P = "pointer", B = "buffer", I = "i32", U = "u32";

const ownSsl = {
  SSL_CTX_ctrl: { parameters: [P, I, "i64", P], result: "i64" },
  SSL_CTX_set_options: { parameters: [P, "u64"], result: "u64" },
  SSL_CTX_set_security_level: { parameters: [P, I], result: "void" },
  SSL_CTX_set_ciphersuites: { parameters: [P, B], result: I },
  SSL_CTX_set_default_read_buffer_len: { parameters: [P, "usize"], result: "void" },
  SSL_CTX_set_client_hello_cb: { parameters: [P, "function", P], result: "void" },
  SSL_client_hello_get0_ext: { parameters: [P, U, B, B], result: I },
  SSL_ctrl: { parameters: [P, I, "i64", P], result: "i64" },
  SSL_group_to_name: { parameters: [P, I], result: P, optional: true },
} as const;

/** Providers are what makes it version 3: an older library fails for want of them. */
const ownCrypto = {
  OSSL_PROVIDER_load: { parameters: [P, B], result: P },
  EVP_default_properties_enable_fips: { parameters: [P, I], result: I },
  BIO_f_buffer: { parameters: [], result: P },
  OPENSSL_sk_num: { parameters: [P], result: I },
  OPENSSL_sk_value: { parameters: [P, I], result: P },
  ERR_get_error: { parameters: [], result: "u64" },
  ERR_reason_error_string: { parameters: ["u64"], result: P },
} as const;

export type Ssl = Deno.DynamicLibrary<typeof sslSymbols & typeof ownSsl>["symbols"];
export type Crypto = Deno.DynamicLibrary<typeof cryptoSymbols & typeof ownCrypto>["symbols"];

/** Throws the system's error where a file or a function is missing. */
export function openOpenSsl(sslPath: string, cryptoPath: string): TlsLibrary {
  const crypto = Deno.dlopen(cryptoPath, { ...cryptoSymbols, ...ownCrypto }).symbols;
  const ssl = Deno.dlopen(sslPath, { ...sslSymbols, ...ownSsl }).symbols;
  return {
    ssl,
    crypto,
    version: readCString(crypto.OpenSSL_version(0)),
    path: sslPath,
    buffersSockets: true,
    failureOf: failureOfOpenSsl,
    enterFips: () => enterFips(crypto),
  };
}

/** The module comes with some distributions only, and must have been installed once more after that. */
const FIPS_CURE = "It is fips.so in OPENSSL_MODULES (Debian 13: apt-get install openssl-provider-fips), " +
  "`openssl fipsinstall` writes its configuration, and OPENSSL_CONF names a file that includes this";

/** "base" reads and writes keys and certificates; it has no algorithms. */
function enterFips(crypto: Crypto): string | null {
  crypto.ERR_clear_error();
  const loaded = ["fips", "base"].every((name) => crypto.OSSL_PROVIDER_load(null, cString(name)) !== null);
  if (loaded && crypto.EVP_default_properties_enable_fips(null, 1) === 1) return null;
  const reason = readCString(crypto.ERR_reason_error_string(crypto.ERR_get_error()));
  crypto.ERR_clear_error();
  return `its FIPS provider cannot be loaded (${reason || "no reason given"}). ${FIPS_CURE}`;
}
