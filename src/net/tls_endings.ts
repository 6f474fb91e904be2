/** The endings of TLS streams: alerts by their names, reasons of the TLS library, errors of the kernel. */
import type { TlsFailure } from "../os/tls_failure.ts";
import type { Ending } from "./duplex.ts";
import { endingOf } from "./endings.ts";
import { alertName } from "./tls_alerts.ts";

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

/** The ending of a stream that failed after its handshake. Null: the TLS library gave no reason. */
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
