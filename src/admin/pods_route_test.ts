import { strict as assert } from "node:assert";
import { type PodRow, podsRoute } from "./pods_route.ts";
import { isStreamed } from "./response.ts";
import { get } from "./testkit/get.ts";

function pod(name: string, changes: Partial<PodRow> = {}): PodRow {
  return { uid: name, namespace: "shop", name, serviceAccount: "sa", state: "Up", differences: [], ...changes };
}

async function ask(pods: readonly PodRow[]) {
  const listeners = [{ name: "inbound", port: 15008 }];
  const response = await podsRoute(() => ({ pods, listeners, differences: ["instance 7 is unknown"] }))(get("/pods"));
  assert.ok(!isStreamed(response));
  return JSON.parse(String(response.body));
}

Deno.test("/pods: pods with differences first, then pending ones, then by name", async () => {
  const { pods, more, listeners, differences } = await ask([
    pod("b"),
    pod("a"),
    pod("d", { state: "Pending" }),
    pod("c", { differences: ["worker 0 does not have it"] }),
  ]);
  assert.deepEqual(pods.map(({ name }: PodRow) => name), ["c", "d", "a", "b"]);
  assert.deepEqual([more, listeners, differences], [0, [{ name: "inbound", port: 15008 }], ["instance 7 is unknown"]]);
});

Deno.test("/pods: 1000 pods at most", async () => {
  const { pods, more } = await ask(Array.from({ length: 1002 }, (_, i) => pod(`${i}`)));
  assert.deepEqual([pods.length, more], [1000, 2]);
});
