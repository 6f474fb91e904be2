import { strict as assert } from "node:assert";
import type { Policy, PolicyKey } from "../mesh/model/model.ts";
import { DecisionCounts } from "../mesh/policy/decision_counts.ts";
import { CompiledPolicy } from "../mesh/policy/matcher.ts";
import { RetiredPolicies } from "../mesh/policy/retired_policies.ts";
import { type PolicyRow, policyRows } from "./policy_rows.ts";

function policy(name: string, changes: Partial<Policy> = {}): CompiledPolicy {
  return new CompiledPolicy(`shop/${name}` as PolicyKey, {
    ...{ name, namespace: "shop", scope: "Namespace", action: "Deny", dryRun: false, rules: [[], [[]]] },
    ...changes,
  });
}

function bed(policies: readonly CompiledPolicy[]) {
  const counts = new DecisionCounts(), retired = new RetiredPolicies();
  const decide = (version: CompiledPolicy, rule: number, times: number) => {
    for (let i = 0; i < times; i++) counts.add(version.decisionOf(rule).id);
  };
  const all = (
    search = "",
    most = 100,
  ) => [...policyRows({ counts, policies, retired: retired.values() }, search, most)];
  const rows = (search?: string, most?: number): PolicyRow[] => all(search, most).filter((row) => row !== null);
  return { counts, retired, decide, all, rows };
}

const DESCRIBED = { action: "Deny", scope: "Namespace", dryRun: false, rules: 2 };
const UNKNOWN = { action: null, scope: null, dryRun: false, rules: 0 };
const denied = (count: number) => [{ decision: "deny policy match", count }];

Deno.test("policy rows: policies with decisions come first, and decisions of policies that are gone stay", () => {
  const b = policy("b"), gone = policy("gone");
  const { counts, retired, decide, rows } = bed([policy("a"), b]);
  decide(b, 0, 1);
  decide(b, 1, 1);
  decide(gone, 0, 1);
  retired.add(gone, 0);
  for (const id of ["no-allow-match", "unknown-policy", "no-allow-match", "drain"]) counts.add(id);
  assert.deepEqual(rows(), [
    { policy: "shop/b", ...DESCRIBED, hits: denied(2) },
    { policy: "shop/gone", ...UNKNOWN, hits: denied(1) },
    {
      policy: null,
      ...UNKNOWN,
      hits: [{ decision: "no allow policies matched", count: 2 }, { decision: "unknown policy, deny", count: 1 }],
    },
    { policy: "shop/a", ...DESCRIBED, hits: [] },
  ]);
  assert.deepEqual(rows("gone").map((row) => row.policy), ["shop/gone"]);
});

Deno.test("policy rows: versions of a policy are counted together, and one that came back once", () => {
  const old = policy("a", { action: "Allow" }), now = policy("a");
  const { retired, decide, rows } = bed([now]);
  decide(old, 0, 3);
  decide(now, 0, 2);
  retired.add(old, 0);
  retired.add(policy("a"), 0);
  retired.add(now, 0);
  assert.deepEqual(rows(), [
    { policy: "shop/a", ...DESCRIBED, hits: [{ decision: "allow policy match", count: 3 }, ...denied(2)] },
  ]);
});

Deno.test("policy rows: what a policy in dry run would have decided is no decision", () => {
  const dry = policy("dry", { dryRun: true });
  const { decide, rows } = bed([dry]);
  decide(dry, 0, 3);
  assert.deepEqual(rows(), [{ policy: "shop/dry", ...DESCRIBED, dryRun: true, hits: [] }]);
});

Deno.test("policy rows: search, bound, and a place to end the turn for each policy", () => {
  const policies = Array.from({ length: 20 }, (_, i) => policy(`p${i}`));
  const { decide, rows, all } = bed(policies);
  decide(policies[7]!, 0, 1);
  assert.deepEqual(rows("p1", 3).map((row) => row.policy), ["shop/p1", "shop/p10", "shop/p11"]);
  assert.deepEqual(rows("", 2).map((row) => row.policy), ["shop/p7", "shop/p0"]);
  const pauses = all("none", 3);
  assert.deepEqual([pauses.length, pauses.every((row) => row === null)], [20, true]);
});
