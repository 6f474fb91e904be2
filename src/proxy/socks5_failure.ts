/**
 * Why a SOCKS5 negotiation failed, with the reply code (RFC 1928 §6) and the log text of `docs/spec/dataplane.md` 6.
 *
 * The codes are those of that table, which differs from RFC 1928: everything that is not supported has code 7.
 */

/** The reply code of a success. */
export const SUCCEEDED = 0;
const GENERAL = 1;
const HOST_UNREACHABLE = 4;
const COMMAND_NOT_SUPPORTED = 7;

/** What to reply and what to log. */
export interface Socks5Failure {
  readonly code: typeof GENERAL | typeof HOST_UNREACHABLE | typeof COMMAND_NOT_SUPPORTED;
  /** The text of the line at WARN: `failed to negotiate socks connection: HostUnreachable: …`. */
  readonly message: string;
}

/** The reply with `code`, of ten bytes. The address in it is 0.0.0.0:0. */
export function socks5Reply(code: number): Uint8Array {
  return Uint8Array.of(5, code, 0, 1, 0, 0, 0, 0, 0, 0);
}

/** The stream failed or ended too early. `reason` is its text: `early eof`, `Connection reset by peer (os error 104)`. */
export function ioFailure(reason: string): Socks5Failure {
  return failure(GENERAL, `General: io error: ${reason}`);
}

/** The client sent something that this proxy does not support. */
export function notSupported(what: string): Socks5Failure {
  return failure(COMMAND_NOT_SUPPORTED, `CommandNotSupported: ${what}`);
}

/** The client sent a name, and the pod has no DNS proxy. */
export function noResolver(): Socks5Failure {
  return notSupported("unsupported hostname lookup, requires DNS enabled");
}

/** The client sent a text that is no DNS name. */
export function badName(reason: string): Socks5Failure {
  return failure(HOST_UNREACHABLE, `HostUnreachable: dns: ${reason}`);
}

/** The name could not be resolved. */
export function lookupFailed(reason: string): Socks5Failure {
  return failure(HOST_UNREACHABLE, `HostUnreachable: dns lookup: ${reason}`);
}

/** The answer had no address of the client's family. */
export function noAddresses(): Socks5Failure {
  return failure(HOST_UNREACHABLE, "HostUnreachable: dns response had no valid IP addresses");
}

function failure(code: Socks5Failure["code"], text: string): Socks5Failure {
  return { code, message: `failed to negotiate socks connection: ${text}` };
}
