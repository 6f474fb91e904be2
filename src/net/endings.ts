/** How sockets end: from an errno, or by a decision of ours. */
import { errnoName, errnoText } from "../os/errno.ts";
import type { Ending } from "./duplex.ts";

/** What a stream answers after our own `close`. */
export const CLOSED: Ending = Object.freeze({ by: "us", how: "fin", code: "CLOSED", message: "stream was closed" });

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
