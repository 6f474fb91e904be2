/** Whether calls to a pod are allowed, with the log lines and counters of that (`docs/spec/xds-state.md` 5). */
import {
  authorize,
  type Call,
  type DryRun,
  POLICY_CHANGED,
  type UnknownPolicies,
  type Verdict,
} from "../mesh/policy/authorize.ts";
import type { PolicyKey } from "../mesh/model/model.ts";
import type { Reason } from "../mesh/model/reasons.ts";
import type { MeshState } from "../mesh/state/state.ts";
import { formatAddress } from "../net/address.ts";
import type { LineLimit } from "../telemetry/line_limit.ts";
import { LEVEL } from "../telemetry/log_level.ts";
import { bare, type Fields } from "../telemetry/log_fields.ts";
import type { Log, Logged, LogScope } from "../telemetry/log.ts";
import { logReasons } from "./reason_lines.ts";
import type { Denial, Reassessment } from "./reassessing.ts";

const TARGET = "ztunnel::state", CUT_TARGET = "ztunnel::proxy::connection_manager";

/** How calls are admitted. */
interface AdmissionRules {
  /** `UNKNOWN_POLICIES` */
  readonly unknownPolicies: UnknownPolicies;
  /** The level of lines about decisions (`AUTHZ_POLICY_INFO_LOGGING`). */
  readonly level: "info" | "debug";
  /** Counts what a policy in dry run would have decided about a call. */
  count(dryRun: DryRun, call: Call): void;
  /** Counts the decision about a new call. */
  decided(verdict: Verdict): void;
  /** Counts the decision to end a call that was allowed. */
  cut(verdict: Verdict): void;
}

/** Evaluates the policies of one pod. */
export class Admission implements Reassessment {
  readonly #state: MeshState;
  readonly #rules: AdmissionRules;
  readonly #lines: LineLimit;
  readonly #log: Log;

  constructor(state: MeshState, rules: AdmissionRules, lines: LineLimit, log: Log) {
    this.#state = state;
    this.#rules = rules;
    this.#lines = lines;
    this.#log = log;
  }

  /** Evaluates a new call. `connection`: whose call it is. */
  judge(call: Call, connection: Logged): Verdict {
    const reasons: Reason[] | null = this.#log.isEnabled(TARGET, LEVEL.debug) ? [] : null;
    const verdict = authorize(this.#state, call, this.#rules.unknownPolicies, reasons);
    for (const dryRun of verdict.dryRuns) this.#rules.count(dryRun, call);
    this.#rules.decided(verdict);
    for (const key of verdict.unknown) {
      const text = unknownText(key, this.#rules.unknownPolicies);
      this.#lines.warn(`unknown policy ${key}`, connection.log.as(TARGET), text);
    }
    // The last reason is the verdict, which has a line of its own.
    if (reasons !== null) logReasons(connection.log.as(TARGET), reasons.slice(0, -1));
    if (this.#isLogged()) this.#logVerdict(verdict, connection.log.as(TARGET));
    return verdict;
  }

  /**
   * Evaluates a call again that was allowed. Policies that the mesh does not have are skipped: one that arrives later
   * causes another evaluation, and one that was deleted no longer matters. Dry runs are logged and not counted, as a
   * call counts once. A call that is no longer allowed is logged with the policy that decided.
   */
  reassess(call: Call, connection: Logged): Denial | null {
    const verdict = authorize(this.#state, call, "skip");
    if ((verdict.dryRuns.length > 0 || !verdict.allow) && this.#isLogged()) {
      this.#logVerdict(verdict, connection.log.as(TARGET));
    }
    if (verdict.allow) return null;
    this.#rules.cut(verdict);
    logCut(call, verdict, connection.log.as(CUT_TARGET));
    return { message: POLICY_CHANGED, id: verdict.id };
  }

  /** One comparison where the lines are filtered out (`docs/spec/config-admin.md` 6.6). */
  #isLogged(): boolean {
    return this.#log.isEnabled(TARGET, LEVEL[this.#rules.level]);
  }

  #logVerdict(verdict: Verdict, log: LogScope): void {
    const { level } = this.#rules;
    for (const dryRun of verdict.dryRuns) log[level](dryRun.text, fieldsOf(dryRun));
    log[level](verdict.decision, fieldsOf(verdict));
  }
}

function fieldsOf({ policy, id }: { readonly policy: PolicyKey | null; readonly id: string }): Fields {
  return { policy, "decision.id": bare(id) };
}

function logCut({ source, identity, target, destination }: Call, verdict: Verdict, log: LogScope): void {
  const text = `connection ${formatAddress(source)}(${identity ?? "None"})->${formatAddress(target)} ` +
    `(${destination.uid}) closed because it's no longer allowed after a policy update`;
  log.info(text, { decision: verdict.decision, ...fieldsOf(verdict) });
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
