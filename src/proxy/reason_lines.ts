/** Why a connection was led where it is, or was refused, as debug lines. */
import type { Reason } from "../mesh/model/reasons.ts";
import type { LogScope } from "../telemetry/log.ts";

/** Lines about the steps of one decision; the rest is counted. A service may have thousands of endpoints. */
const MAX_REASONS = 20;

/** Logs why a decision came out as it did. */
export function logReasons(log: LogScope, reasons: readonly Reason[]): void {
  for (const { text, rule, subject, holds } of reasons.slice(0, MAX_REASONS)) log.debug(text, { rule, subject, holds });
  if (reasons.length > MAX_REASONS) log.debug("more reasons were left out", { left_out: reasons.length - MAX_REASONS });
}
