/** Decides what to do after the end of a stream: metric, log line, delay (`docs/spec/xds-state.md` 2.11). */
import { Code, describeStatus, type GrpcError } from "../grpc/status.ts";
import { durationText } from "../telemetry/rust_text.ts";

/** The values of the metric's label. */
type TerminationReason = "ConnectionError" | "Error" | "Reconnect" | "Complete";

/** How a stream ended, or the attempt to open one. */
export interface StreamEnd {
  /** Null: status OK. */
  readonly error: GrpcError | null;
  /** At least one response was received. */
  readonly answered: boolean;
}

/** What to do before the next attempt. */
interface ReconnectPlan {
  readonly reason: TerminationReason;
  readonly level: "warn" | "debug";
  readonly message: string;
  /** ms until the next attempt. */
  readonly delay: number;
  /** The argument for the next call of {@link planReconnect}. */
  readonly backoff: number;
}

/** ms. */
export const FIRST_BACKOFF = 10;
const LONGEST = 15_000;

/**
 * Plans the next attempt. `backoff`: from the last plan, at first {@link FIRST_BACKOFF}; ms. `address`: of the control
 * plane, for the log.
 */
export function planReconnect({ error, answered }: StreamEnd, backoff: number, address: string): ReconnectPlan {
  const longer = Math.min(LONGEST, 2 * backoff);
  if (error === null) {
    // A server that ends every stream without a response must not be called a hundred times a second.
    const next = answered ? FIRST_BACKOFF : longer;
    const delay = answered ? FIRST_BACKOFF : backoff;
    return { reason: "Complete", level: "warn", message: "XDS client complete", delay, backoff: next };
  }
  const grow = { level: "warn", delay: longer, backoff: longer } as const;
  if (error.stage === "setup") {
    // The Rust ztunnel has no delay here and logs as fast as it can.
    const source = error.source === null ? "" : `: ${error.source}`;
    const message = `XDS client error: ${error.message}${source}, retrying in ${durationText(longer)}`;
    return { reason: "Error", message, ...grow };
  }
  const detail = describeStatus(error);
  if (!answered) {
    const message = `XDS client connection error: gRPC connection error connecting to ${address}: ${detail}, ` +
      `retrying in ${durationText(longer)}`;
    return { reason: "ConnectionError", message, ...grow };
  }
  const text = `gRPC error ${detail}, retrying in ${durationText(backoff)}`;
  if (isOrdinary(error)) {
    const message = `XDS client terminated: ${text}`;
    return { reason: "Reconnect", level: "debug", message, delay: FIRST_BACKOFF, backoff: FIRST_BACKOFF };
  }
  return { reason: "Error", message: `XDS client error: ${text}`, ...grow };
}

/** Expected ends, such as restarts of the server and connections that have reached their maximum age. */
function isOrdinary({ code, message }: GrpcError): boolean {
  if (code === Code.Unavailable) {
    return message.includes("transport is closing") || message.includes("received prior goaway");
  }
  return code === Code.Unknown || code === Code.Cancelled || code === Code.DeadlineExceeded;
}
