/** Log lines of authorization decisions (`docs/spec/config-admin.md` 6.6). */
import type { Verdict } from "../mesh/authorize.ts";
import { LEVEL } from "../telemetry/log_level.ts";
import type { LogScope } from "../telemetry/log.ts";

const TARGET = "ztunnel::state";

/** `log`: with the spans of whoever asked. Costs one test where debug is off. */
export function logVerdict(log: LogScope, verdict: Verdict): void {
  for (const key of verdict.unknown) {
    log.as(TARGET).warn(`policy ${key} is named by the workload and not known yet: denied until it comes`);
  }
  if (!log.log.isEnabled(TARGET, LEVEL.debug)) return;
  const scope = log.as(TARGET);
  for (const { text, policy } of verdict.dryRuns) scope.debug(text, policy === null ? undefined : { policy });
  scope.debug(verdict.decision, verdict.policy === null ? undefined : { policy: verdict.policy });
}
