/** Decides whether a connection is allowed (`docs/spec/xds-state.md` 5). Pure: called again when policies change. */
import type { SocketAddress } from "../../net/address.ts";
import { ConnectionFacts } from "./connection_facts.ts";
import type { PolicyKey, Workload } from "../model/model.ts";
import type { CompiledPolicy, RuleDecision } from "./matcher.ts";
import { policyReason } from "./match_reasons.ts";
import type { PolicySet, PolicySource } from "./store.ts";
import { type Reason, reasonsOf, type Trace } from "../model/reasons.ts";
import type { SpiffeId } from "../model/workload_identity.ts";

/** A connection to be authorized. */
export interface Call {
  /** The workload that receives the connection. */
  readonly destination: Workload;
  /** The peer of the TCP connection, never an address from a header. */
  readonly source: SocketAddress;
  /** The SPIFFE id in the peer's certificate. Null: plain TCP, or a certificate without a usable id. */
  readonly identity: SpiffeId | null;
  /** The address at which the tunnel ends, with the application's port. */
  readonly target: SocketAddress;
}

/**
 * What happens to a call where the workload references a policy that has not arrived.
 *
 * `deny`: calls are refused until the policy arrives (`docs/spec/observed.md` O4). `skip`: such references are ignored,
 * as the native proxy does. `skip` is also for authorizing open connections again: they were admitted when all policies
 * were there, so a reference that leads nowhere now is a policy that was deleted.
 */
export type UnknownPolicies = "deny" | "skip";

/** The log line of a decision (`docs/spec/config-admin.md` 6.6). */
export type Decision =
  | "deny policy match"
  | "unknown policy, deny"
  | "no allow policies, allow"
  | "allow policy match"
  | "no allow policies matched";

/** The ids of decisions that no policy made (`mesh/explain/fixed_decisions.ts` says what they stand for). */
export const NO_POLICY = {
  "no allow policies, allow": "no-allow-policies",
  "no allow policies matched": "no-allow-match",
  "unknown policy, deny": "unknown-policy",
  "dry-run: no allow policies match": "dry-run-no-allow-match",
} as const;

/** A decision that a dry-run policy would have made, had it been enforced. */
export interface DryRun {
  readonly text: "dry-run: deny policy match" | "dry-run: allow policy match" | "dry-run: no allow policies match";
  readonly policy: PolicyKey | null;
  /** As in {@link Verdict}. */
  readonly id: string;
}

/** The result of {@link authorize}. */
export interface Verdict {
  readonly allow: boolean;
  readonly decision: Decision;
  /** The policy that decided; null where none did. */
  readonly policy: PolicyKey | null;
  /** The id of the decision: of the policy's rule (`decision_id.ts`), or of {@link NO_POLICY}. */
  readonly id: string;
  /** For the access log of a refused connection; null where it is allowed (`docs/spec/dataplane.md` 9). */
  readonly message: string | null;
  readonly dryRuns: readonly DryRun[];
  /**
   * Referenced by the workload and not there; to be logged as `skipping unknown policy {key}` where they are skipped.
   */
  readonly unknown: readonly PolicyKey[];
  readonly because: readonly Reason[];
}

/** The access log message of an open connection that is closed because policies changed. */
export const POLICY_CHANGED = "connection closed due to policy change";

const NO_DRY_RUNS: readonly DryRun[] = Object.freeze([]);

/**
 * Decides about `call` by the policies of its destination: any deny policy that matches refuses; then, if there are
 * allow policies, one of them has to match. With `trace`, `because` has one reason per policy.
 */
export function authorize(
  policies: PolicySource,
  call: Call,
  unknownPolicies: UnknownPolicies = "deny",
  trace: Trace = null,
): Verdict {
  const set = policies.policiesFor(call.destination);
  const facts = new ConnectionFacts(call.source, call.identity, call.target);
  const dryRuns = new DryRuns(set, facts, trace);
  const verdict = (decision: Decision, policy: PolicyKey | null, id: string, refusal: string | null): Verdict => {
    trace?.push({
      rule: "authorize.verdict",
      text: policy === null ? decision : `${decision} (${policy})`,
      ...(policy === null ? {} : { subject: policy }),
      decides: true,
    });
    return {
      allow: refusal === null,
      decision,
      policy,
      id,
      message: refusal === null ? null : `connection closed due to policy rejection: ${refusal}`,
      dryRuns: dryRuns.results,
      unknown: set.unknown,
      because: reasonsOf(trace),
    };
  };
  dryRuns.evaluateDeny();
  const denying = firstMatch(set.deny, facts, trace);
  if (denying !== null) {
    return verdict("deny policy match", denying.policy, denying.id, `explicitly denied by: ${denying.policy}`);
  }
  const missing = set.unknown[0];
  if (missing !== undefined && unknownPolicies === "deny") {
    const decision = "unknown policy, deny";
    return verdict(decision, missing, NO_POLICY[decision], `policy is not known yet: ${missing}`);
  }
  dryRuns.evaluateAllow();
  if (set.allow.length === 0) {
    const decision = "no allow policies, allow";
    return verdict(decision, null, NO_POLICY[decision], null);
  }
  const allowing = firstMatch(set.allow, facts, trace);
  if (allowing !== null) return verdict("allow policy match", allowing.policy, allowing.id, null);
  const decision = "no allow policies matched";
  return verdict(decision, null, NO_POLICY[decision], "allow policies exist, but none allowed");
}

function firstMatch(
  policies: readonly CompiledPolicy[],
  facts: ConnectionFacts,
  trace: Trace,
): RuleDecision | null {
  for (const policy of policies) {
    const decision = decisionOf(policy, facts, trace);
    if (decision !== null) return decision;
  }
  return null;
}

/** Null: the policy does not match. */
function decisionOf(policy: CompiledPolicy, facts: ConnectionFacts, trace: Trace): RuleDecision | null {
  const rule = policy.matchingRule(facts);
  trace?.push(policyReason(policy, facts, rule >= 0));
  return rule < 0 ? null : policy.decisionOf(rule);
}

/** Evaluates dry-run policies (`docs/spec/xds-state.md` 5.2 steps 1, 3 and 4). */
class DryRuns {
  readonly #set: PolicySet;
  readonly #facts: ConnectionFacts;
  readonly #trace: Trace;
  #results: DryRun[] | null = null;

  constructor(set: PolicySet, facts: ConnectionFacts, trace: Trace) {
    this.#set = set;
    this.#facts = facts;
    this.#trace = trace;
  }

  get results(): readonly DryRun[] {
    return this.#results ?? NO_DRY_RUNS;
  }

  evaluateDeny(): void {
    for (const policy of this.#set.dryRunDeny) {
      const decision = decisionOf(policy, this.#facts, this.#trace);
      if (decision !== null) this.#add("dry-run: deny policy match", decision.policy, decision.id);
    }
  }

  evaluateAllow(): void {
    let matched = false;
    for (const policy of this.#set.dryRunAllow) {
      const decision = decisionOf(policy, this.#facts, this.#trace);
      if (decision === null) continue;
      matched = true;
      this.#add("dry-run: allow policy match", decision.policy, decision.id);
    }
    if (!matched && this.#set.allow.length === 0 && this.#set.dryRunAllow.length > 0) {
      const text = "dry-run: no allow policies match";
      this.#add(text, null, NO_POLICY[text]);
    }
  }

  #add(text: DryRun["text"], policy: PolicyKey | null, id: string): void {
    (this.#results ??= []).push({ text, policy, id });
  }
}
