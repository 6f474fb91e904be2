import { strict as assert } from "node:assert";
import type { DryRun } from "../mesh/policy/authorize.ts";
import { parseIp } from "../net/address.ts";
import type { SpiffeId } from "../mesh/model/workload_identity.ts";
import { DryRunCounts } from "./dry_run_counts.ts";

const A = "spiffe://d/a" as SpiffeId;
const DENY: DryRun = { text: "dry-run: deny policy match", policy: "ns/deny" as never, id: "a.1" };
const call = (identity: SpiffeId | null, ip = "10.0.0.1") => ({ identity, source: { ip: parseIp(ip)!, port: 1 } });

Deno.test("dry runs are counted by policy, result and caller", () => {
  const counts = new DryRunCounts();
  counts.add(DENY, call(A));
  counts.add(DENY, call(A, "10.0.0.2"));
  counts.add(DENY, call(null, "10.0.0.3"));
  counts.add({ text: "dry-run: no allow policies match", policy: null, id: "b" }, call(A));
  assert.deepEqual(counts.rows(), [
    { policy: "ns/deny", result: "dry-run: deny policy match", caller: "spiffe://d/a", count: 2 },
    { policy: "ns/deny", result: "dry-run: deny policy match", caller: "10.0.0.3", count: 1 },
    { policy: null, result: "dry-run: no allow policies match", caller: "spiffe://d/a", count: 1 },
  ]);
});

Deno.test("callers beyond 1000 rows are counted together, and policies beyond 2000 not at all", () => {
  const counts = new DryRunCounts();
  for (let i = 0; i < 1500; i++) counts.add(DENY, call(null, `10.0.${i >> 8}.${i & 255}`));
  assert.equal(counts.rows().length, 1001);
  assert.deepEqual(counts.rows().at(-1), { policy: "ns/deny", result: DENY.text, caller: null, count: 500 });
  for (let i = 0; i < 3000; i++) counts.add({ ...DENY, policy: `ns/${i}` as never }, call(null));
  assert.equal(counts.rows().length, 2000);
});
