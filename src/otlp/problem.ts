/** The reasons for which an export fails, each with the variable that an operator changes to cure it. */

/** A failure. */
export interface Problem {
  /** The same for failures of the same kind, of which the log has one line. */
  readonly kind: string;
  readonly text: string;
  /** The part of the variable's name that cures it, behind `OTEL_EXPORTER_OTLP_`. */
  readonly setting: "ENDPOINT" | "HEADERS" | "TIMEOUT" | "CERTIFICATE" | "CLIENT_CERTIFICATE";
}

/** The longest text of a collector that is shown. The log escapes what is not visible. */
const SHOWN = 200;

/** The collector has answered with a status that is not a success. `text`: its body. */
export function statusProblem(status: number, text: string): Problem {
  const shown = text.slice(0, SHOWN).trim();
  return {
    kind: `status ${status}`,
    text: `it answers with status ${status}${shown === "" ? "" : `: ${shown}`}`,
    setting: status === 401 || status === 403 ? "HEADERS" : "ENDPOINT",
  };
}

/** The collector cannot be reached, or its answer cannot be read. */
export function connectionProblem(error: unknown): Problem {
  const text = innermost(error);
  if (!/certificate|tls|handshake|fatal alert/i.test(text)) return { kind: "connection", text, setting: "ENDPOINT" };
  // An alert is of the collector, which does not accept what this proxy has shown.
  return { kind: "tls", text, setting: /received fatal alert/.test(text) ? "CLIENT_CERTIFICATE" : "CERTIFICATE" };
}

/** There was no whole answer in time. */
export function timeoutProblem(timeout: number): Problem {
  return { kind: "timeout", text: `there is no answer within ${timeout} ms`, setting: "TIMEOUT" };
}

/** The collector has not taken all records of a request. */
export function rejectedProblem(count: number, message: string): Problem {
  const shown = message.slice(0, SHOWN).trim();
  return {
    kind: "rejected",
    text: `it rejects ${count} records of a request${shown === "" ? "" : `: ${shown}`}`,
    setting: "ENDPOINT",
  };
}

/** The reason behind a failed `fetch` without the URL, which may have a password. */
function innermost(error: unknown): string {
  let last = error;
  for (let depth = 0; depth < 5 && last instanceof Error && last.cause !== undefined; depth++) last = last.cause;
  const text = last instanceof Error ? last.message : String(last);
  const reason = text.replace(/^.*client error \(\w+\): /s, "").replace(/https?:\/\/\S+/g, "the collector");
  return reason.slice(0, SHOWN) || "the request failed";
}
