/**
 * BoringSSL through FFI, with the interface of OpenSSL 3.
 *
 * BoringSSL cannot choose the cipher suites of TLS 1.3: ChaCha20 is refused after the handshake (`net/tls_peer_check.ts`).
 * It does not show a ClientHello as OpenSSL does: a client without ALPN is refused after the handshake, too. Its ciphers
 * are not used for records of our own, as no distribution has a version of it whose functions stay the same.
 */
import { enterFips, familyAsOpenSsl, familyAsOpenSslCrypto, familyCrypto, familySsl, pin } from "./boringssl_family.ts";
import { readCString } from "./libc.ts";
import { failureOfBoringSsl } from "./tls_failure.ts";
import type { TlsLibrary } from "./tls_library.ts";

const P = "pointer";

const stackSymbols = {
  sk_num: { parameters: [P], result: "usize" },
  sk_value: { parameters: [P, "usize"], result: P },
} as const;

/**
 * Opens BoringSSL. `path`: of its libssl, which loads its libcrypto. Throws the system loader's error when a file or a
 * function is missing.
 */
export function openBoringSsl(path: string): TlsLibrary {
  pin(path);
  const crypto = Deno.dlopen(path, { ...familyCrypto, ...stackSymbols }).symbols;
  const ssl = Deno.dlopen(path, familySsl).symbols;
  return {
    ssl: {
      ...ssl,
      ...familyAsOpenSsl(ssl),
      SSL_CTX_set_ciphersuites: () => 1,
      SSL_CTX_set_client_hello_cb() {},
      SSL_client_hello_get0_ext: () => 0,
      SSL_CTX_set_keylog_callback() {},
    },
    crypto: {
      ...crypto,
      ...familyAsOpenSslCrypto(crypto),
      EVP_CIPHER_fetch: () => null,
      EVP_CIPHER_CTX_new: () => null,
      EVP_CIPHER_CTX_free() {},
      EVP_CIPHER_CTX_ctrl: () => 0,
      EVP_CipherInit_ex: () => 0,
      EVP_CipherUpdate: () => 0,
      EVP_CipherFinal_ex: () => 0,
      EVP_MD_fetch: () => null,
      EVP_Digest: () => 0,
      OPENSSL_sk_num: (stack) => Number(crypto.sk_num(stack)),
      OPENSSL_sk_value: (stack, index) => crypto.sk_value(stack, BigInt(index)),
    },
    version: readCString(crypto.OpenSSL_version(0)),
    path,
    buffersSockets: false,
    showsSecrets: () => false,
    failureOf: failureOfBoringSsl,
    enterFips: () => enterFips(crypto),
  };
}
