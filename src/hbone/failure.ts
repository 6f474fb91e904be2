/** Why a tunnel could not be made or broke: the text operators know and the flag metrics carry. */
import { type H2Failure } from "../h2/seam.ts";
import type { Ending } from "../net/duplex.ts";

/** `response_flags` of `docs/spec/dataplane.md` 7.4 that tunnels can end with. */
export type TunnelFlag =
  | "CONNECT"
  | "TLS_FAILURE"
  | "H2_HANDSHAKE_FAILURE"
  | "NETWORK_POLICY"
  | "IDENTITY_ERROR"
  | "CERT_REVOKED";

/** Why we end a connection whose peer's certificate was revoked meanwhile: the reason its streams get. */
export const REVOKED = "connection closed: peer certificate revoked by CRL";

/** The same where our own certificate was withdrawn, and open connections must not outlive it. */
export const WITHDRAWN = "connection closed: the certificate of this workload was withdrawn (SPIRE_REVOKE_OPEN)";

/** A certificate that the connection relies on was revoked or withdrawn, the peer's or ours. */
export function isTakenBack(reason: string): boolean {
  return reason === REVOKED || reason === WITHDRAWN;
}

export interface TunnelFailure {
  readonly flag: TunnelFlag;
  /** As in `docs/spec/dataplane.md` 9. */
  readonly message: string;
  /** The code of the peer's RST_STREAM where that was the cause, and who reset. */
  readonly reset?: H2Failure;
}

export function identityFailure(message: string): TunnelFailure {
  return { flag: "IDENTITY_ERROR", message: `identity error: ${message}` };
}

export function contextFailure(message: string): TunnelFailure {
  return { flag: "TLS_FAILURE", message: `tls error: ${message}` };
}

/** A TCP dial towards an HBONE peer: a timeout there usually means a NetworkPolicy. */
export function dialFailure(ending: Ending): TunnelFailure {
  if (ending.how !== "timeout") return { flag: "CONNECT", message: `io error: ${ending.message}` };
  const hint = "connection timed out, maybe a NetworkPolicy is blocking HBONE port 15008";
  return { flag: "NETWORK_POLICY", message: `${hint}: ${ending.message}` };
}

export function handshakeFailure(ending: Ending): TunnelFailure {
  if (ending.message === REVOKED) return { flag: "CERT_REVOKED", message: REVOKED };
  return { flag: "CONNECT", message: `io error: ${ending.message}` };
}

export function prefaceFailure(failure: H2Failure): TunnelFailure {
  return { flag: "H2_HANDSHAKE_FAILURE", message: `http2 handshake failed: ${failure.reason}` };
}

/** The request was refused or reset before its 200. */
export function requestFailure(failure: H2Failure): TunnelFailure {
  if (isTakenBack(failure.reason)) return { flag: "CERT_REVOKED", message: failure.reason };
  return { flag: "H2_HANDSHAKE_FAILURE", message: `h2 failed: ${describeReset(failure)}`, reset: failure };
}

/** How the stream below ends what is spoken over it: double HBONE. */
export function outerTunnelEnding(failure: H2Failure): Ending {
  const how = failure.by === "transport" ? "error" : "reset";
  return { by: failure.by === "us" ? "us" : "peer", how, code: "OUTER_TUNNEL", message: outerTunnelText(failure) };
}

function outerTunnelText(failure: H2Failure): string {
  if (isTakenBack(failure.reason)) return failure.reason;
  switch (failure.by) {
    case "peer":
      return `the outer tunnel was reset: ${failure.reason}`;
    case "us":
      return `the outer tunnel was closed: ${failure.reason}`;
    case "transport":
      return `the outer tunnel broke: ${failure.reason}`;
    default:
      return failure.by satisfies never;
  }
}

/**
 * Of the inner tunnel of double HBONE, whose log line shows the gateway's address. `service`: the one without SANs,
 * so that nobody is accepted (`docs/spec/xds-state.md` 8.1 Q13).
 */
export function innerFailure({ message, ...rest }: TunnelFailure, service: string | null): TunnelFailure {
  if (isTakenBack(message)) return { ...rest, message };
  const hint = service === null
    ? ""
    : `: ${service} (or its waypoint) has no subject alternative names, which istiod has to supply`;
  return { ...rest, message: `${message} (inner tunnel${hint})` };
}

/** `stream error received: refused stream before processing any application logic` */
export function describeReset(failure: H2Failure): string {
  switch (failure.by) {
    case "peer":
      return `stream error received: ${failure.reason}`;
    case "us":
      return `stream error detected: ${failure.reason}`;
    case "transport":
      return `stream closed because of a broken pipe: ${failure.reason}`;
    default:
      return failure.by satisfies never;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  "400": "Bad Request",
  "401": "Unauthorized",
  "403": "Forbidden",
  "404": "Not Found",
  "429": "Too Many Requests",
  "500": "Internal Server Error",
  "502": "Bad Gateway",
  "503": "Service Unavailable",
  "504": "Gateway Timeout",
};

/** `http status: 401 Unauthorized` */
export function statusFailure(status: string): TunnelFailure {
  return { flag: "CONNECT", message: `http status: ${status} ${REASONS[status] ?? "<unknown status code>"}` };
}

/** A connection that takes no request although it was made for one. */
export function noRoomFailure(): TunnelFailure {
  return { flag: "H2_HANDSHAKE_FAILURE", message: "h2 failed: the connection takes no request" };
}

export function responseTimeout(): TunnelFailure {
  return { flag: "CONNECT", message: "io error: the peer did not answer the CONNECT in time" };
}
