/** How in-memory connections end: the same codes and texts that Linux and the reactor give. */
import type { Ending } from "../duplex.ts";

export const RESET_BY_PEER: Ending = Object.freeze({
  by: "peer",
  how: "reset",
  code: "ECONNRESET",
  message: "Connection reset by peer (os error 104)",
});

export const BROKEN_PIPE: Ending = Object.freeze({
  by: "peer",
  how: "reset",
  code: "EPIPE",
  message: "Broken pipe (os error 32)",
});

export const REFUSED: Ending = Object.freeze({
  by: "system",
  how: "error",
  code: "ECONNREFUSED",
  message: "Connection refused (os error 111)",
});

/** `docs/spec/dataplane.md` 1.3: the text of an expired dial. */
export const DIAL_TIMEOUT: Ending = Object.freeze({
  by: "us",
  how: "timeout",
  code: "DIAL_TIMEOUT",
  message: "deadline has elapsed",
});

/** What a stream answers after our own `close`. */
export const CLOSED: Ending = Object.freeze({
  by: "us",
  how: "fin",
  code: "CLOSED",
  message: "stream was closed",
});

export const TLS_TIMEOUT: Ending = Object.freeze({
  by: "us",
  how: "timeout",
  code: "TLS_TIMEOUT",
  message: "TLS handshake timed out",
});

export const TLS_EOF: Ending = Object.freeze({
  by: "peer",
  how: "fin",
  code: "TLS_HANDSHAKE",
  message: "unexpected eof while reading",
});

/** The handshake failed for want of sense in what the peer sent. */
export function handshakeFailure(message: string): Ending {
  return { by: "peer", how: "error", code: "TLS_HANDSHAKE", message };
}

/** The secured stream broke. */
export function tlsBroken(message: string): Ending {
  return { by: "peer", how: "error", code: "TLS", message };
}

export function tlsAlert(message: string): Ending {
  return { by: "peer", how: "error", code: "TLS_ALERT", message };
}
