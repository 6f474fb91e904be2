/** May this connection be made? (`docs/spec/xds-state.md` 5.) Pure: asked again when policies change. */
import type { SocketAddress } from "../../net/address.ts";
import { ConnectionFacts } from "./connection_facts.ts";
import type { PolicyKey, Workload } from "../model/model.ts";
import type { CompiledPolicy } from "./matcher.ts";
import { policyReason } from "./match_reasons.ts";
import type { PolicySet, PolicySource } from "./store.ts";
import { type Reason, reasonsOf, type Trace } from "../model/reasons.ts";
import type { SpiffeId } from "../model/workload_identity.ts";

export interface Call {
  /** The workload that is called. */
  readonly destination: Workload;
  /** The peer of the TCP connection, never what a header says. */
  readonly source: SocketAddress;
  /** The SPIFFE id in the peer's certificate; null over plain TCP and without a usable id. */
  readonly identity: SpiffeId | null;
  /** The address of the tunnel's end and the port the application listens on. */
  readonly target: SocketAddress;
}

/**
 * What becomes of a call where the workload names a policy that is not known.
 *
 * `deny`: it waits for the policy to come (`docs/spec/observed.md` O4). `skip`: as the native proxy does, open until
 * then. To be skipped also when live connections are asked again: with the policies they were admitted under, a name
 * that is not known any more is a policy that was deleted.
 */
export type UnknownPolicies = "deny" | "skip";

/** The log line of a decision (`docs/spec/config-admin.md` 6.6). */
export type Decision =
  | "deny policy match"
  | "unknown policy, deny"
  | "no allow policies, allow"
  | "allow policy match"
  | "no allow policies matched";

/** Would have happened, did not. */
export interface DryRun {
  readonly text: "dry-run: deny policy match" | "dry-run: allow policy match" | "dry-run: no allow policies match";
  readonly policy: PolicyKey | null;
}

export interface Verdict {
  readonly allow: boolean;
  readonly decision: Decision;
  /** The policy that decided, where one did. */
  readonly policy: PolicyKey | null;
  /** For the access log of a refused connection; null where it is allowed (`docs/spec/dataplane.md` 9). */
  readonly message: string | null;
  readonly dryRuns: readonly DryRun[];
  /** Named by the workload and not known; to be logged as `skipping unknown policy {key}` where they are skipped. */
  readonly unknown: readonly PolicyKey[];
  readonly because: readonly Reason[];
}

/** The message of a live connection that a new policy ended. */
export const POLICY_CHANGED = "connection closed due to policy change";

const NO_DRY_RUNS: readonly DryRun[] = Object.freeze([]);

export function authorize(
  policies: PolicySource,
  call: Call,
  unknownPolicies: UnknownPolicies = "deny",
  trace: Trace = null,
): Verdict {
  const set = policies.policiesFor(call.destination);
  const facts = new ConnectionFacts(call.source, call.identity, call.target);
  const dryRuns = new DryRuns(set, facts, trace);
  const verdict = (decision: Decision, policy: PolicyKey | null, refusal: string | null): Verdict => {
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
      message: refusal === null ? null : `connection closed due to policy rejection: ${refusal}`,
      dryRuns: dryRuns.results,
      unknown: set.unknown,
      because: reasonsOf(trace),
    };
  };
  dryRuns.evaluateDeny();
  const denying = firstMatch(set.deny, facts, trace);
  if (denying !== null) return verdict("deny policy match", denying.key, `explicitly denied by: ${denying.key}`);
  const missing = set.unknown[0];
  if (missing !== undefined && unknownPolicies === "deny") {
    return verdict("unknown policy, deny", missing, `policy is not known yet: ${missing}`);
  }
  dryRuns.evaluateAllow();
  if (set.allow.length === 0) return verdict("no allow policies, allow", null, null);
  const allowing = firstMatch(set.allow, facts, trace);
  if (allowing !== null) return verdict("allow policy match", allowing.key, null);
  return verdict("no allow policies matched", null, "allow policies exist, but none allowed");
}

function firstMatch(
  policies: readonly CompiledPolicy[],
  facts: ConnectionFacts,
  trace: Trace,
): CompiledPolicy | null {
  for (const policy of policies) {
    const matches = policy.matches(facts);
    trace?.push(policyReason(policy, facts, matches));
    if (matches) return policy;
  }
  return null;
}

/** Evaluates what is not enforced. Steps 1, 3 and 4 of `docs/spec/xds-state.md` 5.2. */
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
      if (this.#matches(policy)) this.#add("dry-run: deny policy match", policy.key);
    }
  }

  evaluateAllow(): void {
    let matched = false;
    for (const policy of this.#set.dryRunAllow) {
      if (!this.#matches(policy)) continue;
      matched = true;
      this.#add("dry-run: allow policy match", policy.key);
    }
    if (!matched && this.#set.allow.length === 0 && this.#set.dryRunAllow.length > 0) {
      this.#add("dry-run: no allow policies match", null);
    }
  }

  #matches(policy: CompiledPolicy): boolean {
    const matches = policy.matches(this.#facts);
    this.#trace?.push(policyReason(policy, this.#facts, matches));
    return matches;
  }

  #add(text: DryRun["text"], policy: PolicyKey | null): void {
    (this.#results ??= []).push({ text, policy });
  }
}
