import { strict as assert } from "node:assert";
import type { PolicyKey } from "../mesh/model/model.ts";
import type { Verdict } from "../mesh/policy/authorize.ts";
import { PolicyHits } from "./policy_hits.ts";

const verdict = (policy: string | null, decision: Verdict["decision"], allow: boolean) => {
  return { policy: policy as PolicyKey | null, decision, allow };
};

Deno.test("policy hits: by policy and decision, without calls that no policy concerns", () => {
  const hits = new PolicyHits();
  hits.add(verdict(null, "no allow policies, allow", true));
  hits.add(verdict("shop/deny", "deny policy match", false));
  hits.add(verdict("shop/deny", "deny policy match", false));
  hits.add(verdict("shop/deny", "unknown policy, deny", false));
  hits.add(verdict(null, "no allow policies matched", false));
  assert.deepEqual(hits.rows(), [
    { policy: "shop/deny", decision: "deny policy match", count: 2 },
    { policy: "shop/deny", decision: "unknown policy, deny", count: 1 },
    { policy: null, decision: "no allow policies matched", count: 1 },
  ]);
});

Deno.test("policy hits: at most 10,000 rows", () => {
  const hits = new PolicyHits();
  for (let i = 0; i < 10_005; i++) hits.add(verdict(`shop/p${i}`, "allow policy match", true));
  hits.add(verdict("shop/p0", "allow policy match", true));
  assert.deepEqual([hits.rows().length, hits.rows()[0]?.count], [10_000, 2]);
});
