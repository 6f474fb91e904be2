/**
 * The TLS library through FFI. Found in this order: the path given (`TLS_LIBRARY`), the one bundled into the
 * executable, the system's `libssl.so.3`. One file may hold both libssl and libcrypto.
 */

const P = "pointer", B = "buffer", I = "i32", U = "u32";

const sslSymbols = {
  TLS_method: { parameters: [], result: P },
  SSL_CTX_new: { parameters: [P], result: P },
  SSL_CTX_free: { parameters: [P], result: "void" },
  SSL_CTX_ctrl: { parameters: [P, I, "i64", P], result: "i64" },
  SSL_CTX_set_options: { parameters: [P, "u64"], result: "u64" },
  SSL_CTX_set_security_level: { parameters: [P, I], result: "void" },
  SSL_CTX_set_ciphersuites: { parameters: [P, B], result: I },
  SSL_CTX_set_cipher_list: { parameters: [P, B], result: I },
  SSL_CTX_set_num_tickets: { parameters: [P, "usize"], result: I },
  SSL_CTX_set_default_read_buffer_len: { parameters: [P, "usize"], result: "void" },
  SSL_CTX_set_verify: { parameters: [P, I, P], result: "void" },
  SSL_CTX_set_verify_depth: { parameters: [P, I], result: "void" },
  SSL_CTX_set_cert_verify_callback: { parameters: [P, "function", P], result: "void" },
  SSL_CTX_set_alpn_select_cb: { parameters: [P, "function", P], result: "void" },
  SSL_CTX_set_client_hello_cb: { parameters: [P, "function", P], result: "void" },
  SSL_client_hello_get0_ext: { parameters: [P, U, B, B], result: I },
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
  SSL_ctrl: { parameters: [P, I, "i64", P], result: "i64" },
  SSL_group_to_name: { parameters: [P, I], result: P, optional: true },
} as const;

const cryptoSymbols = {
  OpenSSL_version: { parameters: [I], result: P },
  // Since 3.0: an older library fails for want of it.
  OPENSSL_version_major: { parameters: [], result: U },
  BIO_new: { parameters: [P], result: P },
  BIO_f_buffer: { parameters: [], result: P },
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
  X509_STORE_CTX_get0_chain: { parameters: [P], result: P },
  X509_STORE_CTX_get_error: { parameters: [P], result: I },
  X509_STORE_CTX_set_error: { parameters: [P, I], result: "void" },
  X509_verify_cert: { parameters: [P], result: I },
  X509_verify_cert_error_string: { parameters: ["i64"], result: P },
  OPENSSL_sk_num: { parameters: [P], result: I },
  OPENSSL_sk_value: { parameters: [P, I], result: P },
  ERR_get_error: { parameters: [], result: "u64" },
  ERR_clear_error: { parameters: [], result: "void" },
  ERR_reason_error_string: { parameters: ["u64"], result: P },
} as const;

export type Ssl = Deno.DynamicLibrary<typeof sslSymbols>["symbols"];
export type Crypto = Deno.DynamicLibrary<typeof cryptoSymbols>["symbols"];

export interface TlsLibrary {
  readonly ssl: Ssl;
  readonly crypto: Crypto;
  /** `OpenSSL 3.5.5 27 Jan 2026` */
  readonly version: string;
  readonly path: string;
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
    return named === undefined ? open("libssl.so.3", "libcrypto.so.3") : open(named, named);
  } catch (error) {
    throw new TlsLibraryError(libraryProblem(error instanceof Error ? error.message : String(error), named));
  }
}

/** What went wrong and what to do about it. `named`: the path that was asked for. */
export function libraryProblem(cause: string, named: string | undefined): string {
  const cure = named === undefined
    ? "install OpenSSL 3 (Debian 13: apt-get install libssl3t64, Debian 12 and Ubuntu: libssl3) or set TLS_LIBRARY"
    : `TLS_LIBRARY must be the path of an OpenSSL 3 compatible library, not "${named}"`;
  return `no usable TLS library: ${cause}; ${cure}`;
}

function open(sslPath: string, cryptoPath: string): TlsLibrary {
  const crypto = Deno.dlopen(cryptoPath, cryptoSymbols).symbols;
  const ssl = Deno.dlopen(sslPath, sslSymbols).symbols;
  return { ssl, crypto, version: readCString(crypto.OpenSSL_version(0)), path: sslPath };
}

/** Text behind a `const char *`; empty for NULL. */
export function readCString(pointer: Deno.PointerValue): string {
  return pointer === null ? "" : new Deno.UnsafePointerView(pointer).getCString();
}
