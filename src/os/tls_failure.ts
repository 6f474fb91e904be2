/** Why a TLS session broke, as far as OpenSSL can tell. */

export type TlsFailure =
  /** The peer sent a fatal alert (RFC 8446 §6). */
  | { readonly kind: "alert"; readonly number: number }
  /** OpenSSL found no valid path for the peer's certificate, whose DER is `leaf`. */
  | { readonly kind: "certificate"; readonly text: string; readonly leaf: Uint8Array }
  /** The path is valid, but the application does not want this peer. */
  | { readonly kind: "refused"; readonly text: string }
  /** One of our callbacks threw. */
  | { readonly kind: "internal"; readonly text: string }
  | { readonly kind: "no-certificate" }
  /** Handshake messages without end and without data between them. */
  | { readonly kind: "flood" }
  /** The peer's FIN came without a close_notify before it. */
  | { readonly kind: "eof" }
  | { readonly kind: "system"; readonly errno: number }
  /** What came is not TLS, or not as it should be. */
  | { readonly kind: "protocol"; readonly text: string };

/** An alert is reported as this plus its number. */
const ALERT_OFFSET = 1000;

/** Where a library puts what into an error code. */
interface CodeLayout {
  readonly tlsLayer: number;
  readonly layerOf: (code: number) => number;
  readonly reasonOf: (code: number) => number;
  readonly unexpectedEof: number | null;
  readonly noPeerCertificate: number;
}

const OPENSSL: CodeLayout = {
  tlsLayer: 20,
  layerOf: (code) => (code >>> 23) & 0xff,
  reasonOf: (code) => code & 0x7fffff,
  unexpectedEof: 294,
  noPeerCertificate: 199,
};

const BORINGSSL: CodeLayout = {
  tlsLayer: 16,
  layerOf: (code) => code >>> 24,
  reasonOf: (code) => code & 0xfff,
  unexpectedEof: null,
  noPeerCertificate: 192,
};

/** Of an error code of OpenSSL 3 and the text that goes with it; null where it is not of the TLS layer. */
export function failureOfOpenSsl(code: number, text: string): TlsFailure | null {
  return failureOf(OPENSSL, code, text);
}

/** The same of BoringSSL. */
export function failureOfBoringSsl(code: number, text: string): TlsFailure | null {
  return failureOf(BORINGSSL, code, text);
}

function failureOf(layout: CodeLayout, code: number, text: string): TlsFailure | null {
  if (layout.layerOf(code) !== layout.tlsLayer) return null;
  const reason = layout.reasonOf(code);
  if (reason >= ALERT_OFFSET && reason < ALERT_OFFSET + 256) return { kind: "alert", number: reason - ALERT_OFFSET };
  if (reason === layout.unexpectedEof) return { kind: "eof" };
  if (reason === layout.noPeerCertificate) return { kind: "no-certificate" };
  return { kind: "protocol", text };
}
