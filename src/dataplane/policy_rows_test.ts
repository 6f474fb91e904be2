import { strict as assert } from "node:assert";
import type { Policy, PolicyKey } from "../mesh/model/model.ts";
import type { PolicyHit } from "../proxy/policy_hits.ts";
import { type PolicyRow, policyRows } from "./policy_rows.ts";

const policy = (name: string): { key: PolicyKey; policy: Policy } => ({
  key: `shop/${name}` as PolicyKey,
  policy: { name, namespace: "shop", scope: "Namespace", action: "Deny", dryRun: false, rules: [] },
});

function read(names: readonly string[], hits: readonly PolicyHit[], search = "", most = 100): PolicyRow[] {
  return [...policyRows({ hits, policies: names.map(policy) }, search, most)].filter((row) => row !== null);
}

Deno.test("policy rows: policies with decisions come first, and decisions of policies that are gone stay", () => {
  const hits = [
    { policy: "shop/gone" as PolicyKey, decision: "deny policy match", count: 1 },
    { policy: null, decision: "no allow policies matched", count: 3 },
    { policy: "shop/b" as PolicyKey, decision: "deny policy match", count: 2 },
  ] as const;
  const rows = read(["a", "b"], hits);
  const described = { action: "Deny", scope: "Namespace", dryRun: false, rules: 0 };
  const unknown = { action: null, scope: null, dryRun: false, rules: 0 };
  assert.deepEqual(rows, [
    { policy: "shop/b", ...described, hits: [{ decision: "deny policy match", count: 2 }] },
    { policy: "shop/gone", ...unknown, hits: [{ decision: "deny policy match", count: 1 }] },
    { policy: null, ...unknown, hits: [{ decision: "no allow policies matched", count: 3 }] },
    { policy: "shop/a", ...described, hits: [] },
  ]);
});

Deno.test("policy rows: search, bound, and a place to end the turn for each policy", () => {
  const hits = [{ policy: "shop/p7" as PolicyKey, decision: "deny policy match", count: 1 } as const];
  const names = Array.from({ length: 20 }, (_, i) => `p${i}`);
  assert.deepEqual(read(names, hits, "p1", 3).map((row) => row.policy), ["shop/p1", "shop/p10", "shop/p11"]);
  assert.deepEqual(read(names, hits, "", 2).map((row) => row.policy), ["shop/p7", "shop/p0"]);
  const pauses = [...policyRows({ hits, policies: names.map(policy) }, "none", 3)];
  assert.deepEqual([pauses.length, pauses.every((row) => row === null)], [20, true]);
});
