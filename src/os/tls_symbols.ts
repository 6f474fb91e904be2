/** Signatures of the functions of a TLS library that the engine calls. */

const P = "pointer", B = "buffer", I = "i32", U = "u32";

/** Functions of libssl with the same signature in OpenSSL 3 and BoringSSL. */
export const sslSymbols = {
  TLS_method: { parameters: [], result: P },
  SSL_CTX_new: { parameters: [P], result: P },
  SSL_CTX_free: { parameters: [P], result: "void" },
  SSL_CTX_set_cipher_list: { parameters: [P, B], result: I },
  SSL_CTX_set_num_tickets: { parameters: [P, "usize"], result: I },
  SSL_CTX_set_verify: { parameters: [P, I, P], result: "void" },
  SSL_CTX_set_verify_depth: { parameters: [P, I], result: "void" },
  SSL_CTX_set_cert_verify_callback: { parameters: [P, "function", P], result: "void" },
  SSL_CTX_set_alpn_select_cb: { parameters: [P, "function", P], result: "void" },
  SSL_CTX_set_alpn_protos: { parameters: [P, B, U], result: I },
  SSL_CTX_get_cert_store: { parameters: [P], result: P },
  SSL_CTX_use_certificate: { parameters: [P, P], result: I },
  SSL_CTX_use_PrivateKey: { parameters: [P, P], result: I },
  SSL_CTX_check_private_key: { parameters: [P], result: I },
  SSL_select_next_proto: { parameters: [P, P, B, U, P, U], result: I },
  SSL_new: { parameters: [P], result: P },
  SSL_free: { parameters: [P], result: "void" },
  SSL_set_bio: { parameters: [P, P, P], result: "void" },
  SSL_set_accept_state: { parameters: [P], result: "void" },
  SSL_set_connect_state: { parameters: [P], result: "void" },
  SSL_do_handshake: { parameters: [P], result: I },
  SSL_read: { parameters: [P, B, I], result: I },
  SSL_write: { parameters: [P, B, I], result: I },
  SSL_set_shutdown: { parameters: [P, I], result: "void" },
  SSL_set_info_callback: { parameters: [P, "function"], result: "void" },
  SSL_shutdown: { parameters: [P], result: I },
  SSL_get_error: { parameters: [P, I], result: I },
  SSL_has_pending: { parameters: [P], result: I },
  SSL_get0_alpn_selected: { parameters: [P, B, B], result: "void" },
  SSL_get_version: { parameters: [P], result: P },
  SSL_get_current_cipher: { parameters: [P], result: P },
  SSL_CIPHER_get_name: { parameters: [P], result: P },
} as const;

/** Functions of libcrypto with the same signature in OpenSSL 3 and BoringSSL. */
export const cryptoSymbols = {
  OpenSSL_version: { parameters: [I], result: P },
  BIO_new: { parameters: [P], result: P },
  BIO_s_mem: { parameters: [], result: P },
  BIO_new_socket: { parameters: [I, I], result: P },
  BIO_push: { parameters: [P, P], result: P },
  BIO_ctrl: { parameters: [P, I, I, B], result: I },
  BIO_read: { parameters: [P, B, I], result: I },
  BIO_write: { parameters: [P, B, I], result: I },
  BIO_number_read: { parameters: [P], result: U },
  d2i_X509: { parameters: [P, B, I], result: P },
  i2d_X509: { parameters: [P, B], result: I },
  X509_free: { parameters: [P], result: "void" },
  d2i_AutoPrivateKey: { parameters: [P, B, I], result: P },
  EVP_PKEY_free: { parameters: [P], result: "void" },
  X509_STORE_add_cert: { parameters: [P, P], result: I },
  X509_STORE_set_flags: { parameters: [P, "u64"], result: I },
  EVP_sha256: { parameters: [], result: P },
  X509_digest: { parameters: [P, P, B, B], result: I },
  X509_STORE_CTX_get0_cert: { parameters: [P], result: P },
  X509_STORE_CTX_get0_untrusted: { parameters: [P], result: P },
  X509_STORE_CTX_get0_chain: { parameters: [P], result: P },
  X509_STORE_CTX_get_error: { parameters: [P], result: I },
  X509_STORE_CTX_set_error: { parameters: [P, I], result: "void" },
  X509_verify_cert: { parameters: [P], result: I },
  X509_verify_cert_error_string: { parameters: ["i64"], result: P },
  ERR_clear_error: { parameters: [], result: "void" },
} as const;

/** All functions of OpenSSL 3's libssl that are used. */
export const openSslSymbols = {
  ...sslSymbols,
  SSL_CTX_ctrl: { parameters: [P, I, "i64", P], result: "i64" },
  SSL_CTX_set_options: { parameters: [P, "u64"], result: "u64" },
  SSL_CTX_set_security_level: { parameters: [P, I], result: "void" },
  SSL_CTX_set_ciphersuites: { parameters: [P, B], result: I },
  SSL_CTX_set_default_read_buffer_len: { parameters: [P, "usize"], result: "void" },
  SSL_CTX_set_client_hello_cb: { parameters: [P, "function", P], result: "void" },
  SSL_client_hello_get0_ext: { parameters: [P, U, B, B], result: I },
  SSL_ctrl: { parameters: [P, I, "i64", P], result: "i64" },
  SSL_set0_wbio: { parameters: [P, P], result: "void" },
  SSL_group_to_name: { parameters: [P, I], result: P, optional: true },
} as const;

/** All functions of OpenSSL 3's libcrypto that are used. Older versions have no providers and so fail to open. */
export const openSslCryptoSymbols = {
  ...cryptoSymbols,
  OSSL_PROVIDER_load: { parameters: [P, B], result: P },
  EVP_default_properties_enable_fips: { parameters: [P, I], result: I },
  BIO_f_buffer: { parameters: [], result: P },
  OPENSSL_sk_num: { parameters: [P], result: I },
  OPENSSL_sk_value: { parameters: [P, I], result: P },
  ERR_get_error: { parameters: [], result: "u64" },
  ERR_reason_error_string: { parameters: ["u64"], result: P },
} as const;

/** Functions that no connection calls, or only one that fails (`rare_functions.ts`). */
export const RARELY_CALLED: ReadonlySet<string> = new Set([
  "ERR_reason_error_string",
  "EVP_PKEY_free",
  "EVP_default_properties_enable_fips",
  "EVP_sha256",
  "OSSL_PROVIDER_load",
  "OpenSSL_version",
  "SSL_CTX_check_private_key",
  "SSL_CTX_ctrl",
  "SSL_CTX_free",
  "SSL_CTX_get_cert_store",
  "SSL_CTX_new",
  "SSL_CTX_set_alpn_protos",
  "SSL_CTX_set_alpn_select_cb",
  "SSL_CTX_set_cert_verify_callback",
  "SSL_CTX_set_cipher_list",
  "SSL_CTX_set_ciphersuites",
  "SSL_CTX_set_client_hello_cb",
  "SSL_CTX_set_default_read_buffer_len",
  "SSL_CTX_set_num_tickets",
  "SSL_CTX_set_options",
  "SSL_CTX_set_security_level",
  "SSL_CTX_set_verify",
  "SSL_CTX_set_verify_depth",
  "SSL_CTX_use_PrivateKey",
  "SSL_CTX_use_certificate",
  "SSL_group_to_name",
  "TLS_method",
  "X509_STORE_add_cert",
  "X509_STORE_set_flags",
  "X509_free",
  "X509_verify_cert_error_string",
  "d2i_AutoPrivateKey",
  "d2i_X509",
]);

/** The functions of libssl, as OpenSSL 3 has them. */
export type Ssl = Deno.DynamicLibrary<typeof openSslSymbols>["symbols"];
/** The functions of libcrypto, as OpenSSL 3 has them. */
export type Crypto = Deno.DynamicLibrary<typeof openSslCryptoSymbols>["symbols"];
