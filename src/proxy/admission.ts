/** Whether calls to a pod are allowed, with the log lines and counters of that (`docs/spec/xds-state.md` 5). */
import { authorize, type Call, type DryRun, type UnknownPolicies, type Verdict } from "../mesh/policy/authorize.ts";
import type { MeshState } from "../mesh/state/state.ts";
import type { LineLimit } from "../telemetry/line_limit.ts";
import { LEVEL } from "../telemetry/log_level.ts";
import type { LogScope } from "../telemetry/log.ts";

const TARGET = "ztunnel::state";

/** How calls are admitted. */
interface AdmissionRules {
  /** `UNKNOWN_POLICIES` */
  readonly unknownPolicies: UnknownPolicies;
  /** The level of lines about decisions (`AUTHZ_POLICY_INFO_LOGGING`). */
  readonly level: "info" | "debug";
  /** Counts what a policy in dry run would have decided. */
  count(dryRun: DryRun): void;
}

/** Evaluates the policies of one pod. */
export class Admission {
  readonly #state: MeshState;
  readonly #rules: AdmissionRules;
  readonly #lines: LineLimit;

  constructor(state: MeshState, rules: AdmissionRules, lines: LineLimit) {
    this.#state = state;
    this.#rules = rules;
    this.#lines = lines;
  }

  /** Evaluates a new call. `log`: with the spans of the call. */
  judge(call: Call, log: LogScope): Verdict {
    const verdict = authorize(this.#state, call, this.#rules.unknownPolicies);
    for (const dryRun of verdict.dryRuns) this.#rules.count(dryRun);
    for (const key of verdict.unknown) {
      const text = unknownText(key, this.#rules.unknownPolicies);
      this.#lines.warn(`unknown policy ${key}`, log.as(TARGET), text);
    }
    this.#log(verdict, log);
    return verdict;
  }

  /**
   * Evaluates a call again that was allowed. Policies that the mesh does not have are skipped: one that arrives later
   * causes another evaluation, and one that was deleted no longer matters. Dry runs are logged and not counted, as a
   * call counts once.
   */
  stillAllows(call: Call, log: LogScope): boolean {
    const verdict = authorize(this.#state, call, "skip");
    if (verdict.dryRuns.length > 0) this.#logDryRuns(verdict, log);
    return verdict.allow;
  }

  #logDryRuns({ dryRuns }: Verdict, log: LogScope): void {
    const scope = log.as(TARGET);
    for (const { text, policy } of dryRuns) scope[this.#rules.level](text, policy === null ? undefined : { policy });
  }

  /** Costs one comparison where the lines are filtered out (`docs/spec/config-admin.md` 6.6). */
  #log(verdict: Verdict, log: LogScope): void {
    const { level } = this.#rules;
    if (!log.log.isEnabled(TARGET, LEVEL[level])) return;
    this.#logDryRuns(verdict, log);
    log.as(TARGET)[level](verdict.decision, verdict.policy === null ? undefined : { policy: verdict.policy });
  }
}

function unknownText(key: string, rule: UnknownPolicies): string {
  switch (rule) {
    case "skip":
      return `skipping unknown policy ${key}`;
    case "deny":
      return `policy ${key} is named by the workload and not known yet: calls are denied until it comes ` +
        "(UNKNOWN_POLICIES=skip lets them in)";
    default:
      return rule satisfies never;
  }
}
