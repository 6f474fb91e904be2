import { strict as assert } from "node:assert";
import type { PolicyRow } from "../dataplane/policy_rows.ts";
import type { PolicyKey } from "../mesh/model/model.ts";
import { mergeRows, policiesRoute } from "./policies_route.ts";
import { isStreamed } from "./response.ts";
import { get } from "./testkit/get.ts";

function row(name: string, count: number, changes: Partial<PolicyRow> = {}): PolicyRow {
  const hits = count === 0 ? [] : [{ decision: "deny policy match", count } as const];
  return { policy: name as PolicyKey, action: "Deny", scope: "Namespace", dryRun: false, rules: 1, hits, ...changes };
}

Deno.test("/policies: decisions of all workers are added, most first", () => {
  const gone = { action: null, scope: null, rules: 0 };
  const merged = mergeRows([[row("a", 1), row("b", 0), row("c", 2, gone)], [row("a", 3), row("b", 0), row("c", 0)]]);
  assert.deepEqual(merged.map(({ policy, action, hits }) => [policy, action, hits[0]?.count ?? 0]), [
    ["a", "Deny", 4],
    ["c", "Deny", 2],
    ["b", "Deny", 0],
  ]);
});

Deno.test("/policies: at most 500 rows, a search in lower case, and no endless search", async () => {
  const asked: unknown[] = [];
  const handler = policiesRoute((search, most) => {
    asked.push([search, most]);
    return Promise.resolve([Array.from({ length: most }, (_, i) => row(`${i}`, 0))]);
  });
  const response = await handler(get("/policies", "search=Shop"));
  assert.ok(!isStreamed(response));
  const { policies, isCut } = JSON.parse(String(response.body));
  assert.deepEqual([policies.length, isCut, asked], [500, true, [["shop", 501]]]);
  assert.equal((await handler(get("/policies", `search=${"x".repeat(300)}`))).status, 400);
});
