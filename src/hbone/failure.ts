/** Why a tunnel could not be made or ended early: the text for the log and the flag for metrics. */
import { PING_TIMEOUT } from "../h2/failure.ts";
import { ErrorCode, type H2Failure } from "../h2/seam.ts";
import type { Ending } from "../net/duplex.ts";
import { DIAL_TIMEOUT } from "../net/endings.ts";
import { HANDSHAKE_TIMEOUT } from "../net/tls_endings.ts";
import type { ConnectionEnding, EndedBy, EndedHow, EndingCause } from "../telemetry/connection_ending.ts";

/** Values of `response_flags` that tunnels can end with (`docs/spec/dataplane.md` 7.4). */
export type TunnelFlag =
  | "CONNECT"
  | "TLS_FAILURE"
  | "H2_HANDSHAKE_FAILURE"
  | "NETWORK_POLICY"
  | "IDENTITY_ERROR"
  | "CERT_REVOKED";

/** The reason that streams get when their connection is closed since the peer's certificate was revoked. */
export const REVOKED = "connection closed: peer certificate revoked by CRL";

/** The same where our own certificate was withdrawn and `SPIRE_REVOKE_OPEN` is set. */
export const WITHDRAWN = "connection closed: the certificate of this workload was withdrawn (SPIRE_REVOKE_OPEN)";

/** `reason` says that a certificate of the connection was revoked or withdrawn, the peer's or ours. */
export function isTakenBack(reason: string): boolean {
  return reason === REVOKED || reason === WITHDRAWN;
}

/**
 * What a failure says about the peer, and so whether another endpoint of the service may be tried:
 * - "peer": the peer cannot be reached, is not who it should be, or broke the connection.
 * - "beyond": the peer works, and could not reach what is behind it: the application, or endpoints of its own.
 * - "refusal": the peer answered that the call is not allowed or not valid. Another endpoint must not be tried.
 * - "own": nothing is wrong with the peer. Calls to other endpoints would fail too.
 */
export type FailureOrigin = "peer" | "beyond" | "refusal" | "own";

/** Why a tunnel could not be made. */
export interface TunnelFailure {
  readonly flag: TunnelFlag;
  readonly origin: FailureOrigin;
  readonly ending: ConnectionEnding;
  /** For the log; the texts of `docs/spec/dataplane.md` 9. */
  readonly message: string;
  /** Set where a reset of the stream was the cause: its code, and who sent it. */
  readonly reset?: H2Failure;
}

/** There is no certificate of ours. */
export function identityFailure(message: string): TunnelFailure {
  const ending = { by: "us", how: "identity", phase: "connecting" } as const;
  return { flag: "IDENTITY_ERROR", origin: "own", ending, message: `identity error: ${message}` };
}

/** The TLS session could not be made. */
export function contextFailure(message: string): TunnelFailure {
  const ending = { by: "us", how: "tls", phase: "handshaking" } as const;
  return { flag: "TLS_FAILURE", origin: "own", ending, message: `tls error: ${message}` };
}

/** The TCP dial of an HBONE peer failed. A timeout usually means that a NetworkPolicy blocks the port. */
export function dialFailure(failed: Ending): TunnelFailure {
  const origin = dialFailureOrigin(failed);
  const ending = { ...dialCause(failed, "peer"), phase: "connecting" } as const;
  if (failed.how !== "timeout") return { flag: "CONNECT", origin, ending, message: `io error: ${failed.message}` };
  const hint = "connection timed out, maybe a NetworkPolicy is blocking HBONE port 15008";
  return { flag: "NETWORK_POLICY", origin, ending, message: `${hint}: ${failed.message}` };
}

/** The dial of a destination in plain TCP failed. */
export function plainDialFailure(failed: Ending): TunnelFailure {
  const ending = { ...dialCause(failed, "server"), phase: "connecting" } as const;
  return { flag: "CONNECT", origin: dialFailureOrigin(failed), ending, message: `io error: ${failed.message}` };
}

/** Codes of dials that failed because of the address that was dialled or the way to it. */
const PEER_DIAL_CODES: ReadonlySet<string> = new Set([
  "DIAL_TIMEOUT",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ETIMEDOUT",
]);

/**
 * Whether the dialled address or this machine is the reason for a failed dial. EACCES and EPERM come from a firewall of
 * this machine, so they count as refusals; the rest, such as EMFILE and EADDRNOTAVAIL, as our own.
 */
function dialFailureOrigin({ code }: Ending): FailureOrigin {
  if (PEER_DIAL_CODES.has(code)) return "peer";
  return code === "EACCES" || code === "EPERM" ? "refusal" : "own";
}

/** Who ended a failed dial, and how. `other`: who was dialled. */
export function dialCause(failed: Ending, other: "server" | "peer"): EndingCause {
  if (failed.code === "ECONNREFUSED") return { by: other, how: "refused" };
  const isOwn = failed.by === "us" || dialFailureOrigin(failed) === "own";
  return { by: isOwn ? "us" : other, how: streamEndHow(failed) };
}

/** How a byte stream ended that did not end cleanly. */
export function streamEndHow({ how }: Ending): EndedHow {
  switch (how) {
    case "reset":
      return "rst";
    case "timeout":
      return "timeout";
    case "fin":
    case "error":
      return "error";
    default:
      return how satisfies never;
  }
}

/** Codes of handshakes that failed because of this program. */
const OWN_TLS_CODES: ReadonlySet<string> = new Set(["INTERNAL", "TLS_INTERNAL", "TLS_SETTINGS"]);

/** The TLS handshake failed. */
export function handshakeFailure(failed: Ending): TunnelFailure {
  const ending = { ...handshakeCause(failed), phase: "handshaking" } as const;
  if (failed.message === REVOKED) return { flag: "CERT_REVOKED", origin: "peer", ending, message: REVOKED };
  const origin = OWN_TLS_CODES.has(failed.code) ? "own" : "peer";
  return { flag: "CONNECT", origin, ending, message: `io error: ${failed.message}` };
}

/** Who ended a failed TLS handshake, and how. */
export function handshakeCause(failed: Ending): EndingCause {
  if (failed.message === REVOKED) return { by: "us", how: "revocation" };
  const how = streamEndHow(failed);
  return { by: failed.by === "us" ? "us" : "peer", how: how === "error" ? "tls" : how };
}

/** The connection ended before the peer's SETTINGS. */
export function prefaceFailure(failure: H2Failure): TunnelFailure {
  const origin = failure.reason === WITHDRAWN ? "own" : "peer";
  const ending = requestEnding(failure);
  return { flag: "H2_HANDSHAKE_FAILURE", origin, ending, message: `http2 handshake failed: ${failure.reason}` };
}

/** The request was refused or reset before its 200. */
export function requestFailure(failure: H2Failure): TunnelFailure {
  const { by, reason } = failure, ending = requestEnding(failure);
  if (isTakenBack(reason)) {
    return { flag: "CERT_REVOKED", origin: reason === WITHDRAWN ? "own" : "peer", ending, message: reason };
  }
  const origin = by === "peer" ? "beyond" : "peer", message = `h2 failed: ${describeReset(failure)}`;
  return { flag: "H2_HANDSHAKE_FAILURE", origin, ending, message, reset: failure };
}

function requestEnding(failure: H2Failure): ConnectionEnding {
  return { ...http2Cause(failure, "peer"), phase: "requesting" };
}

/**
 * Who ended an HTTP/2 stream or connection, and how. `application`: who reset where the code is CONNECT_ERROR, by which a
 * proxy passes on that the application behind it has reset (RFC 9113 §8.5).
 */
export function http2Cause(failure: H2Failure, application: EndedBy): EndingCause {
  const { by, code, reason } = failure;
  if (isTakenBack(reason)) return { by: "us", how: "revocation" };
  switch (by) {
    case "transport":
      return { by: "peer", how: "error" };
    case "us":
      return { by: "us", how: ownHow(code, reason) };
    case "peer":
      if (failure.frame === "GOAWAY") return { by: "peer", how: "goaway" };
      return { by: code === ErrorCode.CONNECT_ERROR ? application : "peer", how: "rst" };
    default:
      return by satisfies never;
  }
}

/** A PING was not answered in time. */
export function isPingTimeout({ by, reason }: H2Failure): boolean {
  return by === "us" && reason.startsWith(PING_TIMEOUT);
}

function ownHow(code: ErrorCode, reason: string): EndedHow {
  if (reason.startsWith(PING_TIMEOUT)) return "timeout";
  if (code === ErrorCode.ENHANCE_YOUR_CALM) return "limit";
  return code === ErrorCode.NO_ERROR ? "drain" : "error";
}

/** How the end of the outer stream ends the bytes of the inner connection (nested tunnels). */
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
 * A failure of the inner tunnel of a nested one; the log line shows the gateway's address. `service`: its name where it
 * has no SANs, so that no peer is accepted (`docs/spec/xds-state.md` 8.1 Q13), else null.
 */
export function innerFailure({ message, ...rest }: TunnelFailure, service: string | null): TunnelFailure {
  // Nothing is wrong with the gateway.
  const origin = rest.origin === "peer" ? "beyond" : rest.origin;
  if (isTakenBack(message)) return { ...rest, origin, message };
  const hint = service === null
    ? ""
    : `: ${service} (or its waypoint) has no subject alternative names, which istiod has to supply`;
  return { ...rest, origin, message: `${message} (inner tunnel${hint})` };
}

/** For example `stream error received: refused stream before processing any application logic`. */
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

/** Statuses of a peer that could not reach what is behind it. */
const BEYOND_STATUSES: ReadonlySet<string> = new Set(["502", "503", "504"]);

/** The peer refused the request with this status. For example `http status: 401 Unauthorized`. */
export function statusFailure(status: string): TunnelFailure {
  const origin = BEYOND_STATUSES.has(status) ? "beyond" : "refusal";
  const ending = { by: "peer", how: "status", phase: "requesting" } as const;
  return {
    flag: "CONNECT",
    origin,
    ending,
    message: `http status: ${status} ${REASONS[status] ?? "<unknown status code>"}`,
  };
}

/** A new connection takes no request, although it was made for one. */
export function noRoomFailure(): TunnelFailure {
  const ending = { by: "peer", how: "goaway", phase: "requesting" } as const,
    message = "the connection takes no request";
  return { flag: "H2_HANDSHAKE_FAILURE", origin: "peer", ending, message: `h2 failed: ${message}` };
}

/** The peer did not answer the request in time. */
export function responseTimeout(): TunnelFailure {
  const ending = { by: "us", how: "timeout", phase: "requesting" } as const;
  return { flag: "CONNECT", origin: "peer", ending, message: "io error: the peer did not answer the CONNECT in time" };
}

/** While a connection was being made, the mesh removed the workload or took the address from it. */
export function destinationLost(): TunnelFailure {
  const message = "the destination workload was removed or lost its address while a connection to it was being made";
  const ending = { by: "us", how: "destination lost", phase: "connecting" } as const;
  return { flag: "CONNECT", origin: "peer", ending, message };
}

/** The peer has answered neither the request nor a PING. */
export function peerVanished(): TunnelFailure {
  const message = "io error: the peer has vanished: it answers neither the CONNECT nor a PING";
  const ending = { by: "us", how: "timeout", phase: "requesting" } as const;
  return { flag: "CONNECT", origin: "peer", ending, message };
}

/** `last`: why the last attempt to connect to the peer failed. A new one has to wait or is being made. */
export function recentFailure(last: TunnelFailure): TunnelFailure {
  return { ...last, message: `${last.message} (a recent attempt, and the next one has not succeeded yet)` };
}

/** There was no connection within the time that the request had for it. */
export function connectTimeout(isHandshaking: boolean): TunnelFailure {
  return isHandshaking ? handshakeFailure(HANDSHAKE_TIMEOUT) : dialFailure(DIAL_TIMEOUT);
}

/** The pool is being closed. */
export function poolClosed(): TunnelFailure {
  const ending = { by: "us", how: "drain", phase: "connecting" } as const;
  return { flag: "CONNECT", origin: "own", ending, message: "pool draining" };
}

/** Connections to this peer fail, and `count` requests wait for the next attempt, which is the limit. */
export function tooManyWaiting(count: number): TunnelFailure {
  const message = `io error: connections to this peer fail, and ${count} requests wait for the next attempt already`;
  const ending = { by: "us", how: "limit", phase: "connecting" } as const;
  return { flag: "CONNECT", origin: "peer", ending, message };
}
