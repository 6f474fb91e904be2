import { strict as assert } from "node:assert";
import type { PolicyChanges } from "../mesh/simulate/policy_changes.ts";
import type { ChangeList, SimulationResult } from "../mesh/simulate/result.ts";
import type { HttpHandler } from "./http_connection.ts";
import { isStreamed } from "./response.ts";
import { simulateRoute } from "./simulate_route.ts";
import { get } from "./testkit/get.ts";

const FINDING = { allow: true, text: "x", policy: null, id: "x", details: [] };
const LIST: ChangeList = {
  evaluated: 1,
  skipped: 0,
  refused: 1,
  allowed: 0,
  more: 0,
  changes: [{
    change: "refused",
    source: { identity: null, workload: null, address: "10.0.0.1", workloads: 1 },
    destinations: [],
    moreDestinations: 0,
    otherPorts: false,
    count: 1,
    ids: [],
    before: FINDING,
    after: FINDING,
  }],
};
const RESULT: SimulationResult = {
  applied: [],
  assumptions: ["a"],
  connections: LIST,
  flows: { ...LIST, changes: [] },
  pairs: null,
  enumerated: null,
};
const POLICY = "{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: p, namespace: shop}}";
const CLOCK = { turn: () => Promise.resolve() };

async function post(handler: HttpHandler, body: string, query = ""): Promise<{ status: number; text: string }> {
  const bytes = new TextEncoder().encode(body);
  const response = await handler({ ...get("/simulate", query), method: "POST" }, {
    read: () => Promise.resolve(bytes),
  });
  if (!isStreamed(response)) return { status: response.status, text: String(response.body) };
  let text = "";
  for (let piece = await response.next(); piece !== null; piece = await response.next()) text += piece;
  return { status: response.status, text };
}

Deno.test("/simulate: changes are read from body and query, and the answer is sent as JSON", async () => {
  const asked: PolicyChanges[] = [];
  const handler = simulateRoute((changes) => (asked.push(changes), Promise.resolve(RESULT)), CLOCK);
  const query = "delete=shop/a&delete=PeerAuthentication/shop/b&root=mesh";
  const { status, text } = await post(handler, `${POLICY}\n---\n${POLICY.replace("shop", "mesh")}`, query);
  assert.deepEqual([status, JSON.parse(text)], [200, RESULT]);
  const [changes] = asked;
  assert.deepEqual(changes?.policies.map(({ policy }) => policy?.scope), ["Namespace", "Global"]);
  assert.deepEqual(changes?.deletions, [
    { kind: "AuthorizationPolicy", namespace: "shop", name: "a" },
    { kind: "PeerAuthentication", namespace: "shop", name: "b" },
  ]);
});

Deno.test("/simulate: what cannot be used gets status 400 with the reason", async () => {
  const handler = simulateRoute(() => Promise.resolve(RESULT), CLOCK);
  const mistakes = {
    "": /there are no policies, and none to delete/,
    "kind: [": /^policies:1:/,
    [POLICY.replace("Authorization", "Other")]: /it must be AuthorizationPolicy, /,
  };
  for (const [body, reason] of Object.entries(mistakes)) {
    const { status, text } = await post(handler, body);
    assert.equal(status, 400);
    assert.match(JSON.parse(text).error, reason);
  }
  assert.match((await post(handler, "", "delete=a")).text, /cannot delete \\"a\\": write NAMESPACE\/NAME/);
  assert.equal((await handler(get("/simulate"))).status, 405);
});

Deno.test("/simulate: one simulation runs at a time, and one that fails makes room", async () => {
  const first = Promise.withResolvers<SimulationResult>();
  const handler = simulateRoute(() => first.promise, CLOCK);
  const running = post(handler, POLICY);
  assert.equal((await post(handler, POLICY)).status, 503);
  first.reject(new Error("broken"));
  await assert.rejects(running, /broken/);
  await assert.rejects(post(handler, POLICY), /broken/);
});
