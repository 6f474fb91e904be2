/** The endings of streams in memory, with the codes and texts of Linux and of the reactor. */
import { ECONNREFUSED, ECONNRESET, EPIPE } from "../../os/errno.ts";
import type { Ending } from "../duplex.ts";
import { endingOf } from "../endings.ts";

export const RESET_BY_PEER: Ending = Object.freeze(endingOf(ECONNRESET));
export const BROKEN_PIPE: Ending = Object.freeze(endingOf(EPIPE));
export const REFUSED: Ending = Object.freeze(endingOf(ECONNREFUSED));

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

/** A handshake that failed because of what the peer has sent. */
export function handshakeFailure(message: string): Ending {
  return { by: "peer", how: "error", code: "TLS_HANDSHAKE", message };
}

/** A secured stream that failed. */
export function tlsBroken(message: string): Ending {
  return { by: "peer", how: "error", code: "TLS", message };
}

/** A stream whose peer has sent an alert. */
export function tlsAlert(message: string): Ending {
  return { by: "peer", how: "error", code: "TLS_ALERT", message };
}
