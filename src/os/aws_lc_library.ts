/**
 * AWS-LC through FFI, with the interface of OpenSSL 3. It is what the executable contains: a full handshake takes 0.7 of the
 * CPU that it takes with OpenSSL 3.5 (`docs/spec/dataplane-speed.md` 10).
 */
import {
  enterFips,
  FAMILY_RARELY_CALLED,
  familyAsOpenSsl,
  familyAsOpenSslCrypto,
  familyCrypto,
  familySsl,
  pin,
} from "./boringssl_family.ts";
import { readCString } from "./libc.ts";
import { openMixed } from "./rare_functions.ts";
import { failureOfAwsLc } from "./tls_failure.ts";
import type { TlsLibrary } from "./tls_library.ts";
import { openSslCryptoSymbols as crypto3, openSslSymbols as ssl3, RARELY_CALLED } from "./tls_symbols.ts";

const ssl = {
  ...familySsl,
  SSL_CTX_set_ciphersuites: ssl3.SSL_CTX_set_ciphersuites,
  SSL_CTX_set_client_hello_cb: ssl3.SSL_CTX_set_client_hello_cb,
  SSL_client_hello_get0_ext: ssl3.SSL_client_hello_get0_ext,
  SSL_CTX_set_keylog_callback: ssl3.SSL_CTX_set_keylog_callback,
} as const;

const byName = { parameters: ["buffer"], result: "pointer" } as const;

const crypto = {
  ...familyCrypto,
  EVP_get_cipherbyname: byName,
  EVP_get_digestbyname: byName,
  EVP_CIPHER_CTX_new: crypto3.EVP_CIPHER_CTX_new,
  EVP_CIPHER_CTX_free: crypto3.EVP_CIPHER_CTX_free,
  EVP_CIPHER_CTX_ctrl: crypto3.EVP_CIPHER_CTX_ctrl,
  EVP_CipherInit_ex: crypto3.EVP_CipherInit_ex,
  EVP_CipherUpdate: crypto3.EVP_CipherUpdate,
  EVP_CipherFinal_ex: crypto3.EVP_CipherFinal_ex,
  EVP_Digest: crypto3.EVP_Digest,
  // Their counts are size_t; see deno-notes.md 5.1.
  OPENSSL_sk_num: crypto3.OPENSSL_sk_num,
  OPENSSL_sk_value: crypto3.OPENSSL_sk_value,
} as const;

const RARE: ReadonlySet<string> = new Set([
  ...RARELY_CALLED,
  ...FAMILY_RARELY_CALLED,
  "EVP_get_cipherbyname",
  "EVP_get_digestbyname",
]);

/** Opens AWS-LC: `path` is one file with its libssl and its libcrypto. Throws the system loader's error. */
export function openAwsLc(path: string): TlsLibrary {
  pin(path);
  const own = openMixed(path, crypto, RARE);
  const ownSsl = openMixed(path, ssl, RARE);
  return {
    ssl: { ...ownSsl, ...familyAsOpenSsl(ownSsl) },
    crypto: {
      ...own,
      ...familyAsOpenSslCrypto(own),
      EVP_CIPHER_fetch: (_context, name) => own.EVP_get_cipherbyname(name),
      EVP_MD_fetch: (_context, name) => own.EVP_get_digestbyname(name),
    },
    version: readCString(own.OpenSSL_version(0)),
    path,
    buffersSockets: false,
    // A FIPS module must make the nonces itself.
    showsSecrets: () => own.FIPS_mode() !== 1,
    failureOf: failureOfAwsLc,
    enterFips: () => enterFips(own),
  };
}
