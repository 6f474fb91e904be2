/** The endings of TLS streams: alerts by their names (RFC 8446 §6), reasons of OpenSSL, errors of the kernel. */
import type { TlsFailure } from "../os/tls_failure.ts";
import type { Ending } from "./duplex.ts";
import { endingOf } from "./endings.ts";

const ALERTS: Record<number, string> = {
  0: "close_notify",
  10: "unexpected_message",
  20: "bad_record_mac",
  22: "record_overflow",
  40: "handshake_failure",
  42: "bad_certificate",
  43: "unsupported_certificate",
  44: "certificate_revoked",
  45: "certificate_expired",
  46: "certificate_unknown",
  47: "illegal_parameter",
  48: "unknown_ca",
  49: "access_denied",
  50: "decode_error",
  51: "decrypt_error",
  70: "protocol_version",
  71: "insufficient_security",
  80: "internal_error",
  86: "inappropriate_fallback",
  90: "user_canceled",
  109: "missing_extension",
  110: "unsupported_extension",
  112: "unrecognized_name",
  113: "bad_certificate_status_response",
  115: "unknown_psk_identity",
  116: "certificate_required",
  120: "no_application_protocol",
};

/** The name of an alert; `alert 200` for a number that is not in the table. */
function alertName(number: number): string {
  return ALERTS[number] ?? `alert ${number}`;
}

/** A handshake that took longer than its limit. */
export const HANDSHAKE_TIMEOUT: Ending = Object.freeze({
  by: "us",
  how: "timeout",
  code: "TLS_TIMEOUT",
  message: "the peer did not finish the TLS handshake in time",
});

/** See `record_overhead.ts` and `os/message_budget.ts`. */
export const FLOOD: Ending = Object.freeze({
  by: "us",
  how: "error",
  code: "TLS_FLOOD",
  message: "the peer sends TLS records that carry no data",
});

/** The ending of a stream whose handshake has failed. */
export function handshakeEnding(failure: TlsFailure): Ending {
  return endingFor(failure, "TLS_HANDSHAKE", "the peer closed the connection during the TLS handshake");
}

/** The ending of a stream that failed after its handshake. Null: OpenSSL gave no reason. */
export function streamEnding(failure: TlsFailure | null): Ending {
  if (failure === null) return { by: "peer", how: "error", code: "TLS", message: "the TLS session broke" };
  return endingFor(failure, "TLS", "the peer closed the connection without close_notify");
}

function endingFor(failure: TlsFailure, protocolCode: string, eof: string): Ending {
  switch (failure.kind) {
    case "alert":
      return byPeer("TLS_ALERT", `the peer sent TLS alert ${alertName(failure.number)}`);
    case "certificate":
      return byUs("TLS_CERTIFICATE", `the peer's certificate is not acceptable: ${failure.text}`);
    case "refused":
      return byUs("TLS_REFUSED", failure.text);
    case "internal":
      return byUs("TLS_INTERNAL", `an internal error in a TLS callback: ${failure.text}`);
    case "no-certificate":
      return byUs("TLS_NO_CERTIFICATE", "the peer sent no certificate");
    case "flood":
      return FLOOD;
    case "eof":
      return { by: "peer", how: "fin", code: "TLS_EOF", message: eof };
    case "system":
      return endingOf(failure.errno);
    case "protocol":
      return byPeer(protocolCode, failure.text);
    default:
      return failure satisfies never;
  }
}

function byPeer(code: string, message: string): Ending {
  return { by: "peer", how: "error", code, message };
}

function byUs(code: string, message: string): Ending {
  return { by: "us", how: "error", code, message };
}
