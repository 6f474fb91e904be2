/**
 * BoringSSL through FFI, with the interface of OpenSSL 3: BoringSSL has separate functions for what OpenSSL does by
 * `SSL_CTX_ctrl`, other names for stacks and groups, and another layout of error codes.
 *
 * BoringSSL cannot choose the cipher suites of TLS 1.3: ChaCha20 is refused after the handshake (`net/tls_peer_check.ts`).
 * It does not show a ClientHello as OpenSSL does: a client without ALPN is refused after the handshake, too. And it
 * cannot write to a socket through a buffer: its sessions are in memory.
 */
import { cString, readCString } from "./libc.ts";
import { failureOfBoringSsl } from "./tls_failure.ts";
import type { TlsLibrary } from "./tls_library.ts";
import { Ctrl, GET_NEGOTIATED_GROUP } from "./tls_numbers.ts";
import { type Crypto, cryptoSymbols, type Ssl, sslSymbols } from "./tls_symbols.ts";

const P = "pointer", I = "i32", U = "u32", SHORT = "u16";

const ownSsl = {
  SSL_CTX_set_options: { parameters: [P, U], result: U },
  SSL_CTX_set_mode: { parameters: [P, U], result: U },
  SSL_CTX_set_session_cache_mode: { parameters: [P, I], result: I },
  SSL_CTX_set_min_proto_version: { parameters: [P, SHORT], result: I },
  SSL_CTX_set_max_proto_version: { parameters: [P, SHORT], result: I },
  SSL_CTX_add1_chain_cert: { parameters: [P, P], result: I },
  SSL_CTX_set1_curves_list: { parameters: [P, P], result: I },
  SSL_get_curve_id: { parameters: [P], result: SHORT },
  SSL_get_curve_name: { parameters: [SHORT], result: P },
} as const;

const ownCrypto = {
  FIPS_mode: { parameters: [], result: I },
  sk_num: { parameters: [P], result: "usize" },
  sk_value: { parameters: [P, "usize"], result: P },
  ERR_get_error: { parameters: [], result: U },
  ERR_reason_error_string: { parameters: [U], result: P },
} as const;

type OwnSsl = Deno.DynamicLibrary<typeof sslSymbols & typeof ownSsl>["symbols"];
type OwnCrypto = Deno.DynamicLibrary<typeof cryptoSymbols & typeof ownCrypto>["symbols"];

const RTLD_NOW = 2, RTLD_NODELETE = 0x1000;

/**
 * Keeps the library loaded until the process ends. Each thread that used it calls into it when the thread ends, and the
 * last isolate that used it may have unloaded it by then.
 */
function pin(path: string): void {
  const { symbols } = Deno.dlopen("libc.so.6", { dlopen: { parameters: ["buffer", I], result: P, optional: true } });
  symbols.dlopen?.(cString(path), RTLD_NOW | RTLD_NODELETE);
}

/**
 * Opens BoringSSL. `path`: of its libssl, which loads its libcrypto. Throws the system loader's error when a file or a
 * function is missing.
 */
export function openBoringSsl(path: string): TlsLibrary {
  pin(path);
  const crypto = Deno.dlopen(path, { ...cryptoSymbols, ...ownCrypto }).symbols;
  const ssl = Deno.dlopen(path, { ...sslSymbols, ...ownSsl }).symbols;
  return {
    ssl: asOpenSsl(ssl),
    crypto: asOpenSslCrypto(crypto),
    version: readCString(crypto.OpenSSL_version(0)),
    path,
    buffersSockets: false,
    showsSecrets: () => false,
    failureOf: failureOfBoringSsl,
    enterFips: () => crypto.FIPS_mode() === 1 ? null : "it was not built as a FIPS module",
  };
}

function asOpenSsl(own: OwnSsl): Ssl {
  return {
    ...own,
    SSL_CTX_ctrl: (context, command, number, pointer) => BigInt(control(own, context, command, number, pointer)),
    SSL_CTX_set_options: (context, options) => BigInt(own.SSL_CTX_set_options(context, Number(options & 0xffffffffn))),
    SSL_CTX_set_security_level() {},
    SSL_CTX_set_ciphersuites: () => 1,
    SSL_CTX_set_default_read_buffer_len() {},
    SSL_CTX_set_client_hello_cb() {},
    SSL_client_hello_get0_ext: () => 0,
    SSL_set0_wbio() {},
    SSL_CTX_set_keylog_callback() {},
    SSL_ctrl: (ssl, command) => command === GET_NEGOTIATED_GROUP ? BigInt(own.SSL_get_curve_id(ssl)) : 0n,
    SSL_group_to_name: (_ssl, group) => own.SSL_get_curve_name(group),
  };
}

function control(
  own: OwnSsl,
  context: Deno.PointerValue,
  command: number,
  number: bigint | number,
  pointer: Deno.PointerValue,
): number {
  switch (command) {
    case Ctrl.MODE:
      return own.SSL_CTX_set_mode(context, Number(number));
    case Ctrl.SESSION_CACHE_MODE:
      return own.SSL_CTX_set_session_cache_mode(context, Number(number));
    case Ctrl.ADD_CHAIN_CERTIFICATE:
      return own.SSL_CTX_add1_chain_cert(context, pointer);
    case Ctrl.SET_GROUPS_LIST:
      return own.SSL_CTX_set1_curves_list(context, pointer);
    case Ctrl.MIN_PROTOCOL:
      return own.SSL_CTX_set_min_proto_version(context, Number(number));
    case Ctrl.MAX_PROTOCOL:
      return own.SSL_CTX_set_max_proto_version(context, Number(number));
    default: // Ctrl.READ_AHEAD: BoringSSL has no such option
      return 0;
  }
}

function asOpenSslCrypto(own: OwnCrypto): Crypto {
  return {
    ...own,
    OSSL_PROVIDER_load: () => null,
    EVP_default_properties_enable_fips: () => 0,
    BIO_f_buffer: () => null,
    EVP_CIPHER_fetch: () => null,
    EVP_CIPHER_free() {},
    EVP_CIPHER_CTX_new: () => null,
    EVP_CIPHER_CTX_free() {},
    EVP_CIPHER_CTX_ctrl: () => 0,
    EVP_CipherInit_ex: () => 0,
    EVP_CipherUpdate: () => 0,
    EVP_CipherFinal_ex: () => 0,
    EVP_MD_fetch: () => null,
    EVP_MD_free() {},
    EVP_Digest: () => 0,
    OPENSSL_sk_num: (stack) => Number(own.sk_num(stack)),
    OPENSSL_sk_value: (stack, index) => own.sk_value(stack, BigInt(index)),
    ERR_get_error: () => BigInt(own.ERR_get_error()),
    ERR_reason_error_string: (code) => own.ERR_reason_error_string(Number(code)),
  };
}
