import { strict as assert } from "node:assert";
import { ClientHealth } from "./client_health.ts";

Deno.test("client health: states with their time, counts by type", () => {
  let now = 1000;
  const health = new ClientHealth("https://istiod:15012", () => now);
  health.connecting();
  now = 1500;
  health.connected();
  health.responded("address", 100);
  health.responded("address", 50);
  now = 2000;
  health.failed("refused");
  now = 2500;
  health.failed("refused again");
  assert.deepEqual(health.status, {
    address: "https://istiod:15012",
    state: "waiting",
    since: 2000,
    attempts: 1,
    lastResponse: 1500,
    lastFailure: { time: 2500, text: "refused again" },
    types: [{ type: "address", responses: 2, bytes: 150, rejected: 0 }],
    rejected: [],
  });
});

Deno.test("client health: keeps the last 50 rejections, newest first, and 16 types", () => {
  const health = new ClientHealth("a", () => 7);
  for (let i = 0; i < 60; i++) health.rejected("policy", [{ name: `p${i}`, reason: "x".repeat(1000) }]);
  for (let i = 0; i < 60; i++) health.responded(`type ${i}`, 1);
  const { rejected, types } = health.status;
  assert.deepEqual([rejected.length, rejected[0]?.name, rejected[0]?.reason.length], [50, "p59", 512]);
  assert.deepEqual([types.length, types[0]], [16, { type: "policy", responses: 0, bytes: 0, rejected: 60 }]);
});
