/**
 * Why a SOCKS5 negotiation failed, with the reply code (RFC 1928 §6) and the log text of `docs/spec/dataplane.md` 6.
 *
 * The codes are the table's, not RFC 1928's advice: what cannot be done is always 7.
 */

export const SUCCEEDED = 0;
export const GENERAL = 1;
export const HOST_UNREACHABLE = 4;
export const COMMAND_NOT_SUPPORTED = 7;

export interface Socks5Failure {
  readonly code: typeof GENERAL | typeof HOST_UNREACHABLE | typeof COMMAND_NOT_SUPPORTED;
  /** The whole WARN line: `failed to negotiate socks connection: HostUnreachable: …`. */
  readonly message: string;
}

/** The reply of ten bytes; the address in it is always 0.0.0.0:0. */
export function socks5Reply(code: number): Uint8Array {
  return Uint8Array.of(5, code, 0, 1, 0, 0, 0, 0, 0, 0);
}

/** The stream failed or ended too early. `reason` is its text: `early eof`, `Connection reset by peer (os error 104)`. */
export function ioFailure(reason: string): Socks5Failure {
  return failure(GENERAL, `General: io error: ${reason}`);
}

export function notSupported(what: string): Socks5Failure {
  return failure(COMMAND_NOT_SUPPORTED, `CommandNotSupported: ${what}`);
}

/** A name was asked for, but this proxy has no DNS. */
export function noResolver(): Socks5Failure {
  return notSupported("unsupported hostname lookup, requires DNS enabled");
}

/** What was asked for cannot be a DNS name. */
export function badName(reason: string): Socks5Failure {
  return failure(HOST_UNREACHABLE, `HostUnreachable: dns: ${reason}`);
}

export function lookupFailed(reason: string): Socks5Failure {
  return failure(HOST_UNREACHABLE, `HostUnreachable: dns lookup: ${reason}`);
}

/** The answer had no address of the family that was asked for. */
export function noAddresses(): Socks5Failure {
  return failure(HOST_UNREACHABLE, "HostUnreachable: dns response had no valid IP addresses");
}

function failure(code: Socks5Failure["code"], text: string): Socks5Failure {
  return { code, message: `failed to negotiate socks connection: ${text}` };
}
