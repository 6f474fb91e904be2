/** The rules by which calls are admitted to pods, from the configuration, with the counters of decisions. */
import type { Config } from "../config/config.ts";
import type { DecisionCounts } from "../mesh/policy/decision_counts.ts";
import type { MeshState } from "../mesh/state/state.ts";
import { Admission } from "../proxy/admission.ts";
import type { DryRunCounts } from "../proxy/dry_run_counts.ts";
import type { LineLimit } from "../telemetry/line_limit.ts";
import type { Log } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";

/** The prefix of the text of each dry run; the rest is the metric's label. */
const DRY_RUN = "dry-run: ";

/** What decides and what counts decisions, for all pods. */
interface AdmissionParts {
  readonly state: MeshState;
  readonly dryRuns: DryRunCounts;
  readonly decisions: DecisionCounts;
}

/** The admission of one pod. */
export function podAdmission(
  { state, dryRuns, decisions }: AdmissionParts,
  config: Config,
  metrics: Metrics,
  lines: LineLimit,
  log: Log,
): Admission {
  return new Admission(
    state,
    {
      unknownPolicies: config.unknownPolicies,
      level: config.log.authorizationAtInfo ? "info" : "debug",
      count(dryRun, call) {
        const { text, policy, id } = dryRun;
        decisions.add(id);
        metrics.cell("istio_policy_dry_run", policy, text.slice(DRY_RUN.length)).value++;
        dryRuns.add(dryRun, call);
      },
      decided: ({ id }) => decisions.add(id),
      cut: ({ id }) => decisions.add(id),
    },
    lines,
    log,
  );
}
