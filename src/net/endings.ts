/** How sockets end: from an errno, or by a decision of ours. */
import { errnoName, errnoText } from "../os/errno.ts";
import type { Duplex, DuplexSink, Ending } from "./duplex.ts";

/** What a stream answers after our own `close`. */
export const CLOSED: Ending = Object.freeze({ by: "us", how: "fin", code: "CLOSED", message: "stream was closed" });

/** A callback of the stream's user threw. */
export const CALLBACK_FAILED: Ending = Object.freeze({
  by: "us",
  how: "error",
  code: "INTERNAL",
  message: 'an internal error, see the line "a callback failed" in the log',
});

/**
 * After an exception from a callback of `duplex` its user may be in any state, so the stream ends, and the user is
 * notified if it still listens. `fail` sets the stream's `failure`.
 */
export function endAfterThrow(duplex: Duplex, sink: DuplexSink | null, fail: (ending: Ending) => void): void {
  fail(CALLBACK_FAILED);
  try {
    sink?.onFailure(CALLBACK_FAILED);
  } catch {
    // The first error is reported, and the stream ends in any case.
  }
  duplex.close(true);
}

/** `docs/spec/dataplane.md` 1.3: the text of an expired dial. */
export const DIAL_TIMEOUT: Ending = Object.freeze({
  by: "us",
  how: "timeout",
  code: "DIAL_TIMEOUT",
  message: "deadline has elapsed",
});

/** How a stream ended, from the errno of a failed call. */
export function endingOf(error: number): Ending {
  const code = errnoName(error);
  const how = code === "ECONNRESET" || code === "EPIPE" ? "reset" : code === "ETIMEDOUT" ? "timeout" : "error";
  return { by: how === "reset" ? "peer" : "system", how, code, message: errnoText(error) };
}
