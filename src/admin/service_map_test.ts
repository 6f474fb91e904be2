import { strict as assert } from "node:assert";
import type { TrafficPair } from "../telemetry/traffic_pairs.ts";
import { ServiceMap } from "./service_map.ts";

function pair(changes: Partial<TrafficPair>): TrafficPair {
  return {
    reporter: "source",
    source: "shop/web",
    destination: "shop/cart",
    service: "cart.shop",
    mutualTls: true,
    opened: 10,
    closed: 8,
    denied: 0,
    failed: 0,
    received: 100,
    sent: 50,
    ...changes,
  };
}

Deno.test("service map: workers and services of one pair are one edge", () => {
  const { edges, leftOut, span } = new ServiceMap(10).update([pair({}), pair({ service: "cart2.shop", opened: 5 })], 0);
  assert.deepEqual(edges, [{
    source: "shop/web",
    destination: "shop/cart",
    services: ["cart.shop", "cart2.shop"],
    mutualTls: true,
    open: 0,
    opened: 15,
    denied: 0,
    failed: 0,
    bytesToDestination: 200,
    bytesToSource: 100,
    rate: null,
  }]);
  assert.deepEqual([leftOut, span], [{ edges: 0, opened: 0 }, null]);
});

Deno.test("service map: what both ends on this node have counted counts once, a refusal as a refusal", () => {
  const source = pair({ failed: 3 }), destination = pair({ reporter: "destination", opened: 9, denied: 2 });
  const { edges: [edge] } = new ServiceMap(10).update([source, destination], 0);
  assert.deepEqual([edge?.opened, edge?.denied, edge?.failed, edge?.open], [10, 2, 1, 2]);
});

Deno.test("service map: plain and mutual TLS are edges of their own", () => {
  const { edges } = new ServiceMap(10).update([pair({}), pair({ mutualTls: false, source: null })], 0);
  assert.deepEqual(edges.map(({ mutualTls, source }) => [mutualTls, source]), [[true, "shop/web"], [false, null]]);
});

Deno.test("service map: rates since the last update, never negative, and none after clear", () => {
  const map = new ServiceMap(10);
  map.update([pair({ opened: 10, received: 0, sent: 0 })], 1000);
  const second = map.update([pair({ opened: 20, denied: 1, received: 4000, sent: 1000 })], 6000);
  assert.deepEqual([second.span, second.edges[0]?.rate], [5000, { opened: 2, denied: 0.2, failed: 0, bytes: 1000 }]);
  assert.equal(map.update([pair({ opened: 5 })], 7000).edges[0]?.rate?.opened, 0);
  map.clear();
  assert.equal(map.update([pair({})], 8000).edges[0]?.rate, null);
});

Deno.test("service map: the busiest edges, and what was left out", () => {
  const map = new ServiceMap(2);
  const many = (busy: number) =>
    [1, 2, 3, 4].map((i) => pair({ source: `shop/${i}`, opened: 10 * i + (i === 1 ? busy : 0) }));
  const first = map.update(many(0), 0);
  assert.deepEqual(first.edges.map(({ source }) => source), ["shop/4", "shop/3"]);
  assert.deepEqual(first.leftOut, { edges: 2, opened: 30 });
  assert.deepEqual(map.update(many(5), 1000).edges.map(({ source }) => source), ["shop/1", "shop/4"]);
});
