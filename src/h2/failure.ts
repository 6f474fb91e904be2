/** Makes {@link H2Failure} values and their texts. */
import { ErrorCode, type H2Failure } from "./seam.ts";

const REASONS: readonly string[] = [
  "not a result of an error",
  "unspecific protocol error detected",
  "unexpected internal error encountered",
  "flow-control protocol violated",
  "settings ACK not received in timely manner",
  "received frame when stream half-closed",
  "frame with invalid size",
  "refused stream before processing any application logic",
  "stream no longer needed",
  "unable to maintain the header compression context",
  "connection established in response to a CONNECT request was reset or abnormally closed",
  "detected excessive load generating behavior",
  "security properties do not meet minimum requirements",
  "endpoint requires HTTP/1.1",
];

/** The text of an error code for the log (`docs/spec/dataplane.md` 2.6). */
export function reasonText(code: ErrorCode): string {
  return REASONS[code] ?? "unknown reason";
}

/** Why a stream or connection ended. `reason`: a sentence for the log. */
export function failure(by: H2Failure["by"], code: ErrorCode, reason: string): H2Failure {
  return { by, code, reason };
}

/** The peer's GOAWAY has ended a stream or the connection. */
export function byGoAway(code: ErrorCode, reason: string): H2Failure {
  return { by: "peer", code, reason, frame: "GOAWAY" };
}

/** How the reason begins where the peer has not answered a PING. */
export const PING_TIMEOUT = "ping timeout";

/** Longest part of a peer's GOAWAY debug text that is quoted, in bytes. */
const QUOTED = 128;

/**
 * The peer's GOAWAY as a failure; its debug data is `bytes[start, end)`. Debug data is opaque (RFC 9113 §6.8): it is
 * quoted as printable ASCII of bounded length, so that it cannot forge a log line.
 */
export function goAwayFailure(code: ErrorCode, bytes: Uint8Array, start: number, end: number): H2Failure {
  if (end <= start) return byGoAway(code, reasonText(code));
  const shown = Math.min(end, start + QUOTED);
  let text = "";
  for (let i = start; i < shown; i++) {
    const byte = bytes[i]!;
    text += byte >= 0x20 && byte < 0x7f && byte !== 0x22 ? String.fromCharCode(byte) : "?";
  }
  return byGoAway(code, `${reasonText(code)}: "${text}"${shown < end ? "..." : ""}`);
}
