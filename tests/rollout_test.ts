/**
 * No new connection fails while proxies are replaced under load. `deno task bench:rollout` is the same with 50 restarts
 * and 100,000 connections.
 */
import { strict as assert } from "node:assert";
import { testNeeding } from "../lab/needs.ts";
import { rollOut } from "../testkit/rollout.ts";

testNeeding(
  { namespaces: true, packages: ["iptables", "nginx"] },
  "rollout: proxies of the caller's and the called node are replaced under load, and no connection fails",
  async () => {
    const { whole, failures } = await rollOut({ side: "both", restarts: 2, calls: 2000, lanes: 4 });
    assert.deepEqual(failures, {});
    assert.ok(whole >= 2000);
  },
);
