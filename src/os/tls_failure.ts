/** Why TLS sessions fail. */

/** Why a session has failed. */
export type TlsFailure =
  /** The peer sent a fatal alert (RFC 8446 §6). */
  | { readonly kind: "alert"; readonly number: number }
  /** OpenSSL found no valid path for the peer's certificate, whose DER is `leaf`. */
  | { readonly kind: "certificate"; readonly text: string; readonly leaf: Uint8Array }
  /** The path is valid, but the application refuses this peer. */
  | { readonly kind: "refused"; readonly text: string }
  /** One of our callbacks threw. */
  | { readonly kind: "internal"; readonly text: string }
  | { readonly kind: "no-certificate" }
  /** Too many handshake messages after the handshake (`message_budget.ts`). */
  | { readonly kind: "flood" }
  /** The peer's FIN came without a close_notify. */
  | { readonly kind: "eof" }
  | { readonly kind: "system"; readonly errno: number }
  /** The peer sent what is not TLS, or violates it. */
  | { readonly kind: "protocol"; readonly text: string };

/** Reason codes of received alerts are this plus the alert's number. */
const ALERT_OFFSET = 1000;

/** The fields of an error code. */
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

const AWS_LC: CodeLayout = { ...BORINGSSL, unexpectedEof: 509 };

/** Translates an error code of OpenSSL 3 and its text. Null: it is not of the TLS layer. */
export function failureOfOpenSsl(code: number, text: string): TlsFailure | null {
  return failureOf(OPENSSL, code, text);
}

/** As {@link failureOfOpenSsl}, for BoringSSL, whose texts are like `WRONG_VERSION_NUMBER`. */
export function failureOfBoringSsl(code: number, text: string): TlsFailure | null {
  return failureOf(BORINGSSL, code, asOpenSslWrites(text));
}

/** The same for AWS-LC. */
export function failureOfAwsLc(code: number, text: string): TlsFailure | null {
  return failureOf(AWS_LC, code, asOpenSslWrites(text));
}

function asOpenSslWrites(text: string): string {
  return text.toLowerCase().replaceAll("_", " ");
}

function failureOf(layout: CodeLayout, code: number, text: string): TlsFailure | null {
  if (layout.layerOf(code) !== layout.tlsLayer) return null;
  const reason = layout.reasonOf(code);
  if (reason >= ALERT_OFFSET && reason < ALERT_OFFSET + 256) return { kind: "alert", number: reason - ALERT_OFFSET };
  if (reason === layout.unexpectedEof) return { kind: "eof" };
  if (reason === layout.noPeerCertificate) return { kind: "no-certificate" };
  return { kind: "protocol", text };
}
