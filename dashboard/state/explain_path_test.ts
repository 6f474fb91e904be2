import { strict as assert } from "node:assert";
import { pathOf } from "./explain_path.ts";
import type { Hop, Way, WorkloadSummary } from "./wire.ts";

const workload = (name: string): WorkloadSummary => ({
  uid: name,
  namespace: "shop",
  name,
  identity: `spiffe://td/ns/shop/sa/${name}`,
  node: "n",
  protocol: "HBONE",
});

function hop(by: Hop["by"], to: string, protocol = "HBONE"): Hop {
  return {
    by,
    because: [{ rule: "outbound.service", text: "a service" }],
    outcome: {
      kind: "route",
      protocol,
      dial: "10.0.0.2:15008",
      authority: "10.0.0.2:80",
      destination: workload(to),
      service: "shop/cart.shop.svc",
      shows: null,
      expects: [],
      leadsTo: "workload",
    },
    admission: null,
  };
}

const way = (changes: Partial<Way>): Way => ({
  chance: 1,
  outlook: "allowed",
  hop: hop("proxy", "cart"),
  onward: null,
  ...changes,
});
const FROM = { from: workload("web"), fromAddress: "10.0.0.1" };

Deno.test("explain path: from the client to the destination", () => {
  const { stations, legs } = pathOf(FROM, way({}));
  assert.deepEqual(stations.map(({ kind, title }) => [kind, title]), [["client", "shop/web"], [
    "destination",
    "shop/cart",
  ]]);
  assert.deepEqual(legs.map(({ by, protocol, isSecure }) => [by, protocol, isSecure]), [[
    "the client's proxy",
    "HBONE",
    true,
  ]]);
});

Deno.test("explain path: through a waypoint", () => {
  const onward = { text: "", hops: [hop("waypoint", "cart"), hop("waypoint", "cart2")], more: 0 };
  const { stations, legs } = pathOf(FROM, way({ hop: hop("proxy", "waypoint"), onward }));
  assert.deepEqual(stations.map(({ kind, title }) => `${kind} ${title}`), [
    "client shop/web",
    "waypoint shop/waypoint",
    "destination shop/cart",
  ]);
  assert.equal(legs[1]?.by, "the waypoint");
});

Deno.test("explain path: plain, refused, and a client that is no workload", () => {
  const refused: Hop = {
    by: "proxy",
    because: [],
    outcome: { kind: "refusal", code: "NO_ROUTE", message: "no route" },
    admission: null,
  };
  const path = pathOf({ from: null, fromAddress: "10.9.9.9" }, way({ hop: refused }));
  assert.deepEqual(path.stations.map(({ kind, title }) => [kind, title]), [["client", "10.9.9.9"], [
    "refused",
    "refused",
  ]]);
  assert.equal(path.legs[0]?.protocol, null);
  assert.equal(pathOf(FROM, way({ hop: hop("client", "cart", "TCP") })).legs[0]?.isSecure, false);
});
