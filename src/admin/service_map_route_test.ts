import { strict as assert } from "node:assert";
import type { TrafficPair } from "../telemetry/traffic_pairs.ts";
import { isStreamed } from "./response.ts";
import { serviceMapRoute } from "./service_map_route.ts";
import { get } from "./testkit/get.ts";

const PAIR: TrafficPair = {
  reporter: "source",
  source: "shop/web",
  destination: "shop/cart",
  service: null,
  mutualTls: true,
  opened: 1,
  closed: 0,
  denied: 0,
  failed: 0,
  received: 0,
  sent: 0,
};

function bed() {
  const state = { now: 0, made: 0, takes: 0, fails: false };
  const timers: (() => void)[] = [];
  const handler = serviceMapRoute(
    async function* () {
      state.made++;
      if (state.fails) throw new Error("no worker");
      state.now += state.takes;
      yield await Promise.resolve({ ...PAIR, opened: state.made });
    },
    { after: (_delay, run) => (timers.push(run), { cancel: () => void timers.splice(timers.indexOf(run), 1) }) },
    () => state.now,
  );
  const ask = async () => {
    const response = await handler(get("/service-map"));
    assert.ok(!isStreamed(response));
    return JSON.parse(String(response.body));
  };
  return { ask, state, timers };
}

Deno.test("/service-map: readers share a document for four seconds", async () => {
  const { ask, state } = bed();
  const [one, two] = await Promise.all([ask(), ask()]);
  assert.deepEqual([state.made, one, one.edges[0].rate], [1, two, null]);
  state.now = 3999;
  await ask();
  assert.equal(state.made, 1);
  state.now = 5000;
  const later = await ask();
  assert.deepEqual([state.made, later.edges[0].rate.opened, later.span], [2, 0.2, 5000]);
});

Deno.test("/service-map: one that took long to make is kept for longer", async () => {
  const { ask, state } = bed();
  state.takes = 1000;
  await ask();
  state.now = 20_999;
  await ask();
  assert.equal(state.made, 1);
  state.now = 21_000;
  await ask();
  assert.equal(state.made, 2);
});

Deno.test("/service-map: without readers the counts are released; a failure is not kept", async () => {
  const { ask, state, timers } = bed();
  await ask();
  assert.equal(timers.length, 1);
  timers[0]!();
  assert.equal((await ask()).edges[0].rate, null);
  state.fails = true;
  state.now = 10_000;
  await assert.rejects(ask(), /no worker/);
  state.fails = false;
  assert.equal((await ask()).edges.length, 1);
});
