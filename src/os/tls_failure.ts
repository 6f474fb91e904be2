/** Why a TLS session broke, as far as OpenSSL can tell. */

export type TlsFailure =
  /** The peer sent a fatal alert (RFC 8446 §6). */
  | { readonly kind: "alert"; readonly number: number }
  /** OpenSSL found no valid path for the peer's certificate. */
  | { readonly kind: "certificate"; readonly text: string }
  /** The path is valid, but the application does not want this peer. */
  | { readonly kind: "refused"; readonly text: string }
  | { readonly kind: "no-certificate" }
  /** Handshake messages without end and without data between them. */
  | { readonly kind: "flood" }
  /** The peer's FIN came without a close_notify before it. */
  | { readonly kind: "eof" }
  | { readonly kind: "system"; readonly errno: number }
  /** What came is not TLS, or not as it should be. */
  | { readonly kind: "protocol"; readonly text: string };

const LIBRARY_SSL = 20;
/** An alert is reported as this plus its number. */
const ALERT_OFFSET = 1000;
const UNEXPECTED_EOF = 294, NO_PEER_CERTIFICATE = 199;

/** Whether an error code of OpenSSL 3 comes from its TLS layer. */
export function isOfTls(code: number): boolean {
  return ((code >>> 23) & 0xff) === LIBRARY_SSL;
}

/** Of an error code of OpenSSL 3 and the text that goes with it. */
export function failureOfCode(code: number, text: string): TlsFailure {
  const reason = code & 0x7fffff;
  if (!isOfTls(code)) return { kind: "protocol", text };
  if (reason >= ALERT_OFFSET && reason < ALERT_OFFSET + 256) return { kind: "alert", number: reason - ALERT_OFFSET };
  if (reason === UNEXPECTED_EOF) return { kind: "eof" };
  if (reason === NO_PEER_CERTIFICATE) return { kind: "no-certificate" };
  return { kind: "protocol", text };
}
