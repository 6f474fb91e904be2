/** What a copy reports to its owner: bytes as they leave, and how it ended (`docs/spec/dataplane.md` 4). */
import { PING_TIMEOUT } from "../h2/failure.ts";
import { ErrorCode, type H2Failure } from "../h2/seam.ts";
import { isTakenBack } from "../hbone/failure.ts";
import type { Ending } from "../net/duplex.ts";
import type { ConnectionFailure } from "../telemetry/connection_telemetry.ts";
import type { EndingCause } from "../telemetry/connection_ending.ts";

/** Counts bytes as they leave the proxy. */
export interface CopyMeter {
  /** Bytes written towards the server. */
  addReceived(bytes: number): void;
  /** Bytes written towards the client. */
  addSent(bytes: number): void;
}

/** Bytes that flow both ways between two sides. */
export interface Copy {
  /** One side has sent its end, or both have. */
  readonly isHalfClosed: boolean;
  /** Resets both sides. The owner is not notified. */
  cut(): void;
}

/** Whoever started a {@link Copy}. */
export interface CopyOwner {
  /** Called at most once: one side has sent its end, the other one has not. */
  onHalfClosed(): void;
  /** Called once: both sides have ended, or one has failed. Not called after a cut. */
  onCopied(outcome: CopyOutcome, cause: EndingCause): void;
}

/** How a copy ended. Null: success. A text: the error for the log; {@link copyFailure} adds its flag. */
export type CopyOutcome = string | null;

/** The failure to record for an outcome; null: success. */
export function copyFailure(outcome: CopyOutcome): ConnectionFailure | null {
  return outcome === null ? null : { flag: isTakenBack(outcome) ? "CERT_REVOKED" : "CONNECT", message: outcome };
}

/** The outcome where a socket failed. A reset is a success, as in upstream. */
export function socketFailure(ending: Ending, socketIsDownstream: boolean): CopyOutcome {
  if (ending.how === "reset") return null;
  return `${socketIsDownstream ? "send" : "receive"}: io error: ${ending.message}`;
}

/** The outcome where the stream was reset. `text` describes it. `weHadEnded`: we had sent END_STREAM before. */
export function streamFailure(
  failure: H2Failure,
  text: string,
  weHadEnded: boolean,
  socketIsDownstream: boolean,
): CopyOutcome {
  if (isTakenBack(failure.reason)) return failure.reason;
  const reading = socketIsDownstream ? "receive" : "send", writing = socketIsDownstream ? "send" : "receive";
  // The connection ended with NO_ERROR, but the peer has vanished and bytes may be lost.
  if (failure.by === "us" && failure.reason.startsWith(PING_TIMEOUT)) return `${reading}: io error: ${text}`;
  if (failure.by === "transport") return `while closing connection: ${writing}: io error: ${text}`;
  switch (failure.code) {
    case ErrorCode.NO_ERROR:
    case ErrorCode.CONNECT_ERROR:
      return null;
    case ErrorCode.CANCEL:
    case ErrorCode.STREAM_CLOSED:
      // As upstream does: its half-close fails after the reset, and it reports that (observed.md O13).
      return weHadEnded ? null : `while closing connection: ${writing}: io error: broken pipe`;
    default:
      return `${reading}: io error: ${text}`;
  }
}
