/** The policies of the mesh as rows of a table: what they are, and what they have decided in this isolate. */
import type { Policy, PolicyKey } from "../mesh/model/model.ts";
import { type Decision, NO_POLICY } from "../mesh/policy/authorize.ts";
import type { DecisionCounts } from "../mesh/policy/decision_counts.ts";
import type { CompiledPolicy } from "../mesh/policy/matcher.ts";
import type { RetiredDecision } from "../mesh/policy/retired_policies.ts";

/** One policy. */
export interface PolicyRow {
  /** `namespace/name`; null: the refusals that no policy made. */
  readonly policy: PolicyKey | null;
  /** Null: the mesh does not have this policy, or no longer. */
  readonly action: Policy["action"] | null;
  readonly scope: Policy["scope"] | null;
  readonly dryRun: boolean;
  readonly rules: number;
  /** Decisions of its versions, without those in dry run. */
  readonly hits: readonly { readonly decision: Decision; readonly count: number }[];
}

/** What the rows are made of. */
interface PolicyRowSources {
  readonly counts: Pick<DecisionCounts, "of">;
  readonly policies: Iterable<CompiledPolicy>;
  /** Decisions of versions that are no longer in force. */
  readonly retired: Iterable<RetiredDecision>;
}

const MATCHED = { Allow: "allow policy match", Deny: "deny policy match" } as const;
const WITHOUT_POLICY = ["no allow policies matched", "unknown policy, deny"] as const;

/**
 * The policies whose keys contain `search`, `most` of them: those that have decided something, then others. Yields null
 * for each other policy, so that the caller can end its turn.
 */
export function* policyRows(
  { counts, policies, retired }: PolicyRowSources,
  search: string,
  most: number,
): Generator<PolicyRow | null, void, undefined> {
  const gone = retiredByPolicy(retired);
  const first: PolicyRow[] = [], others: PolicyRow[] = [];
  for (const { key, policy, decisions } of policies) {
    yield null;
    const old = gone.get(key) ?? [];
    gone.delete(key);
    if (!isFound(key, search)) continue;
    // A version that came back is among the old ones too.
    const made = new Map([...old, ...decisions.map(({ id }) => ({ id, ...policy }))].map((each) => [each.id, each]));
    const hits = hitsOf(counts, made.values());
    if (hits.length === 0 && others.length >= most) continue;
    const { action, scope, dryRun, rules } = policy;
    (hits.length === 0 ? others : first).push({ policy: key, action, scope, dryRun, rules: rules.length, hits });
  }
  for (const [policy, old] of gone) {
    const hits = isFound(policy, search) ? hitsOf(counts, old) : [];
    if (hits.length > 0) first.push({ policy, ...UNKNOWN, hits });
  }
  const without = search === "" ? withoutPolicy(counts) : [];
  if (without.length > 0) first.push({ policy: null, ...UNKNOWN, hits: without });
  yield* [...first, ...others].slice(0, most);
}

const UNKNOWN = { action: null, scope: null, dryRun: false, rules: 0 } as const;

function isFound(policy: PolicyKey, search: string): boolean {
  return policy.toLowerCase().includes(search);
}

function retiredByPolicy(retired: Iterable<RetiredDecision>): Map<PolicyKey, RetiredDecision[]> {
  const byPolicy = new Map<PolicyKey, RetiredDecision[]>();
  for (const decision of retired) {
    const list = byPolicy.get(decision.key);
    if (list === undefined) byPolicy.set(decision.key, [decision]);
    else list.push(decision);
  }
  return byPolicy;
}

function hitsOf(
  counts: PolicyRowSources["counts"],
  made: Iterable<Pick<RetiredDecision, "id" | "action" | "dryRun">>,
): PolicyRow["hits"] {
  const sums = new Map<Decision, number>();
  for (const { id, action, dryRun } of made) {
    const count = dryRun ? 0 : counts.of(id);
    if (count > 0) sums.set(MATCHED[action], (sums.get(MATCHED[action]) ?? 0) + count);
  }
  return [...sums].map(([decision, count]) => ({ decision, count }));
}

function withoutPolicy(counts: PolicyRowSources["counts"]): PolicyRow["hits"] {
  return WITHOUT_POLICY.map((decision) => ({ decision, count: counts.of(NO_POLICY[decision]) }))
    .filter(({ count }) => count > 0);
}
