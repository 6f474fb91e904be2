import { strict as assert } from "node:assert";
import { tempDir } from "../../../lab/temp_dir.ts";
import { checkedDomain, warnIfOpen } from "./open_spire.ts";

Deno.test("identity S29: a warning where any user could replace the agent's socket", () => {
  using folder = tempDir();
  const warnings = (mode: number) => {
    const lines: string[] = [];
    Deno.chmodSync(folder.path, mode);
    warnIfOpen(`${folder.path}/admin.sock`, (_, text) => lines.push(text));
    return lines.length;
  };
  assert.deepEqual([0o700, 0o770, 0o777, 0o1777].map(warnings), [0, 0, 1, 0]);
  warnIfOpen("/nowhere/at/all.sock", () => assert.fail());
});

Deno.test("identity 4.1: CLUSTER_DOMAIN must be a trust domain", () => {
  assert.equal(checkedDomain("cluster.local"), "cluster.local");
  assert.throws(() => checkedDomain("Cluster.Local"), /CLUSTER_DOMAIN "Cluster.Local" is no SPIFFE trust domain/);
});
