/** The policies of the mesh as rows of a table: what they are, and what they have decided in this isolate. */
import type { Policy, PolicyKey } from "../mesh/model/model.ts";
import type { Decision } from "../mesh/policy/authorize.ts";
import type { PolicyHit } from "../proxy/policy_hits.ts";

/** One policy. */
export interface PolicyRow {
  /** `namespace/name`; null: the decisions that were made because no allow policy matched. */
  readonly policy: PolicyKey | null;
  /** Null: the mesh does not have this policy, or no longer. */
  readonly action: Policy["action"] | null;
  readonly scope: Policy["scope"] | null;
  readonly dryRun: boolean;
  readonly rules: number;
  readonly hits: readonly { readonly decision: Decision; readonly count: number }[];
}

/** What the rows are made of. */
interface PolicyRowSources {
  readonly hits: readonly PolicyHit[];
  readonly policies: Iterable<{ readonly key: PolicyKey; readonly policy: Policy }>;
}

/**
 * The policies whose keys contain `search`, `most` of them: those that have decided something, then others. Yields null
 * for each other policy, so that the caller can end its turn.
 */
export function* policyRows(
  { hits, policies }: PolicyRowSources,
  search: string,
  most: number,
): Generator<PolicyRow | null, void, undefined> {
  const decided = new Map<PolicyKey | null, PolicyHit[]>();
  for (const hit of hits) {
    if (!isFound(hit.policy, search)) continue;
    const list = decided.get(hit.policy);
    if (list === undefined) decided.set(hit.policy, [hit]);
    else list.push(hit);
  }
  const first: PolicyRow[] = [], others: PolicyRow[] = [];
  for (const { key, policy: { action, scope, dryRun, rules } } of policies) {
    yield null;
    const list = decided.get(key);
    if (list === undefined && (others.length >= most || !isFound(key, search))) continue;
    const row = { policy: key, action, scope, dryRun, rules: rules.length, hits: plain(list ?? []) };
    (list === undefined ? others : first).push(row);
    decided.delete(key);
  }
  for (const [policy, list] of decided) {
    first.push({ policy, action: null, scope: null, dryRun: false, rules: 0, hits: plain(list) });
  }
  yield* [...first, ...others].slice(0, most);
}

function isFound(policy: PolicyKey | null, search: string): boolean {
  return search === "" || (policy?.toLowerCase().includes(search) ?? false);
}

function plain(hits: readonly PolicyHit[]): PolicyRow["hits"] {
  return hits.map(({ decision, count }) => ({ decision, count }));
}
