/** The endings of streams: those of an errno, and those that the proxy itself decides. */
import { errnoName, errnoText } from "../os/errno.ts";
import type { Duplex, DuplexSink, Ending } from "./duplex.ts";

/** The `failure` of a stream that its user has closed. */
export const CLOSED: Ending = Object.freeze({ by: "us", how: "fin", code: "CLOSED", message: "stream was closed" });

/** A callback of the stream's user threw. */
export const CALLBACK_FAILED: Ending = Object.freeze({
  by: "us",
  how: "error",
  code: "INTERNAL",
  message: 'an internal error, see the line "a callback failed" in the log',
});

/**
 * Ends a stream whose user has thrown from a callback: the user may be in any state now. It is notified, unless it has
 * closed the stream (`sink` is null). `fail` sets the stream's `failure`.
 */
export function endAfterThrow(duplex: Duplex, sink: DuplexSink | null, fail: (ending: Ending) => void): void {
  fail(CALLBACK_FAILED);
  try {
    sink?.onFailure(CALLBACK_FAILED);
  } catch {
    // The first error is reported, and the stream is closed in any case.
  }
  duplex.close(true);
}

/** A dial that took longer than its limit. The text is fixed by `docs/spec/dataplane.md` 1.3. */
export const DIAL_TIMEOUT: Ending = Object.freeze({
  by: "us",
  how: "timeout",
  code: "DIAL_TIMEOUT",
  message: "deadline has elapsed",
});

/** The ending of a stream for which a call failed with `error`, an errno. */
export function endingOf(error: number): Ending {
  const code = errnoName(error);
  const how = code === "ECONNRESET" || code === "EPIPE" ? "reset" : code === "ETIMEDOUT" ? "timeout" : "error";
  return { by: how === "reset" ? "peer" : "system", how, code, message: errnoText(error) };
}
