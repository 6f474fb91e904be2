/** The rules by which pods admit calls, from the configuration, and what is counted of them. */
import type { Config } from "../config/config.ts";
import type { MeshState } from "../mesh/state/state.ts";
import { Admission } from "../proxy/admission.ts";
import type { LineLimit } from "../telemetry/line_limit.ts";
import type { Metrics } from "../telemetry/metrics.ts";

/** Begins the log line of each such finding; the rest is the metric's label. */
const DRY_RUN = "dry-run: ";

export function podAdmission(
  state: MeshState,
  { unknownPolicies, log }: Config,
  metrics: Metrics,
  lines: LineLimit,
): Admission {
  return new Admission(state, {
    unknownPolicies,
    level: log.authorizationAtInfo ? "info" : "debug",
    count({ text, policy }) {
      metrics.cell("istio_policy_dry_run", policy, text.slice(DRY_RUN.length)).value++;
    },
  }, lines);
}
