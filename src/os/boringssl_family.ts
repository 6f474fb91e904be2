/**
 * What BoringSSL and AWS-LC, which was made from it, have in common: the interface of OpenSSL 3 on top of separate functions
 * for what OpenSSL does by `SSL_CTX_ctrl`, other names for groups, and another layout of error codes.
 *
 * Neither can write to a socket through a buffer: sessions whose records they protect are in memory.
 */
import { cString } from "./libc.ts";
import { Ctrl, GET_NEGOTIATED_GROUP } from "./tls_numbers.ts";
import { cryptoSymbols, type Ssl, sslSymbols } from "./tls_symbols.ts";

const P = "pointer", I = "i32", U = "u32", SHORT = "u16";

/** The functions of libssl that are used of either. */
export const familySsl = {
  ...sslSymbols,
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

/** The functions of libcrypto that are used of either. */
export const familyCrypto = {
  ...cryptoSymbols,
  FIPS_mode: { parameters: [], result: I },
  ERR_get_error: { parameters: [], result: U },
  ERR_reason_error_string: { parameters: [U], result: P },
} as const;

/** Those which no connection calls, or only one that fails. */
export const FAMILY_RARELY_CALLED = [
  "FIPS_mode",
  "SSL_CTX_add1_chain_cert",
  "SSL_CTX_set1_curves_list",
  "SSL_CTX_set_max_proto_version",
  "SSL_CTX_set_min_proto_version",
  "SSL_CTX_set_mode",
  "SSL_CTX_set_session_cache_mode",
  "SSL_get_curve_name",
];

type OwnSsl = Deno.DynamicLibrary<typeof familySsl>["symbols"];
type OwnCrypto = Deno.DynamicLibrary<typeof familyCrypto>["symbols"];

const RTLD_NOW = 2, RTLD_NODELETE = 0x1000;

/**
 * Keeps the library loaded until the process ends. Each thread that used it calls into it when the thread ends, and the
 * last isolate that used it may have unloaded it by then.
 */
export function pin(path: string): void {
  const { symbols } = Deno.dlopen("libc.so.6", { dlopen: { parameters: ["buffer", I], result: P, optional: true } });
  symbols.dlopen?.(cString(path), RTLD_NOW | RTLD_NODELETE);
}

/** OpenSSL's functions of libssl which have another form in either. */
export function familyAsOpenSsl(own: OwnSsl) {
  return {
    SSL_CTX_ctrl: (context, command, number, pointer) => BigInt(control(own, context, command, number, pointer)),
    SSL_CTX_set_options: (context, options) => BigInt(own.SSL_CTX_set_options(context, Number(options & 0xffffffffn))),
    SSL_CTX_set_security_level() {},
    SSL_CTX_set_default_read_buffer_len() {},
    SSL_set0_wbio() {},
    SSL_ctrl: (ssl, command) => command === GET_NEGOTIATED_GROUP ? BigInt(own.SSL_get_curve_id(ssl)) : 0n,
    SSL_group_to_name: (_ssl, group) => own.SSL_get_curve_name(group),
  } satisfies Partial<Ssl>;
}

/** OpenSSL's functions of libcrypto which have another form in either, or are missing. */
export function familyAsOpenSslCrypto(own: OwnCrypto) {
  return {
    OSSL_PROVIDER_load: () => null,
    EVP_default_properties_enable_fips: () => 0,
    BIO_f_buffer: () => null,
    EVP_CIPHER_free() {},
    EVP_MD_free() {},
    ERR_get_error: () => BigInt(own.ERR_get_error()),
    ERR_reason_error_string: (code: bigint | number) => own.ERR_reason_error_string(Number(code)),
  };
}

/** Null: the library is a FIPS module. */
export function enterFips(own: OwnCrypto): string | null {
  return own.FIPS_mode() === 1 ? null : "it was not built as a FIPS module";
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
    default: // Ctrl.READ_AHEAD: only for sessions on sockets
      return 0;
  }
}
