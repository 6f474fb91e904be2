import { strict as assert } from "node:assert";
import type { TrafficParties } from "./traffic_labels.ts";
import { countFlag, TrafficMetrics } from "./traffic_metrics.ts";
import { trafficPairs } from "./traffic_pairs.ts";
import type { TrafficWorkload } from "./traffic_peer.ts";

function workload(workloadName: string, name = `${workloadName}-0`): TrafficWorkload {
  return {
    name,
    namespace: "shop",
    trustDomain: "td",
    serviceAccount: "sa",
    workloadName,
    canonicalName: workloadName,
    canonicalRevision: "v1",
    clusterId: "c1",
    locality: { region: "r", zone: "z" },
  };
}

function parties(overrides: Partial<TrafficParties>): TrafficParties {
  return {
    reporter: "source",
    source: workload("web"),
    derivedSource: null,
    destination: workload('ca"rt'),
    derivedDestination: null,
    service: { hostname: "cart.shop.svc", namespace: "shop", name: "cart" },
    mutualTls: true,
    ...overrides,
  };
}

const rows = (metrics: TrafficMetrics) => [...trafficPairs(metrics.snapshot())].filter((row) => row !== null);

Deno.test("traffic pairs: series of one pair are added up, refusals and failures apart", () => {
  const metrics = new TrafficMetrics();
  const series = (of: TrafficParties) => metrics.series(of, metrics.labels.sides(of));
  const one = series(parties({})), two = series(parties({ derivedSource: { identity: "spiffe://td/ns/shop/sa/web" } }));
  assert.notEqual(one, two);
  one.opened = 5;
  one.received = 10;
  two.opened = 2;
  two.sent = 3;
  countFlag(one.closed, "-", 3);
  for (const flag of ["DENY", "CONNECT"] as const) {
    countFlag(one.closed, flag);
    countFlag(one.failed, flag);
  }
  assert.deepEqual(rows(metrics), [{
    reporter: "source",
    source: "shop/web",
    destination: 'shop/ca"rt',
    service: "cart.shop.svc",
    mutualTls: true,
    opened: 7,
    closed: 5,
    denied: 1,
    failed: 1,
    received: 10,
    sent: 3,
  }]);
});

Deno.test("traffic pairs: what is not known is null, and pairs differ by reporter and security", () => {
  const metrics = new TrafficMetrics();
  for (const reporter of ["source", "destination"] as const) {
    for (const mutualTls of [true, false]) {
      const of = parties({ reporter, mutualTls, source: null, destination: null, service: null });
      metrics.series(of, metrics.labels.sides(of)).opened++;
    }
  }
  const found = rows(metrics);
  assert.equal(found.length, 4);
  for (const row of found) assert.deepEqual([row.source, row.destination, row.service], [null, null, null]);
});

Deno.test("traffic pairs: the reader can stop after each series", () => {
  const metrics = new TrafficMetrics();
  for (const name of ["a", "b", "c"]) {
    const of = parties({ source: workload(name) });
    metrics.series(of, metrics.labels.sides(of)).opened++;
  }
  const yielded = [...trafficPairs(metrics.snapshot())];
  assert.deepEqual(yielded.map((row) => row?.source ?? null), [null, null, null, "shop/a", "shop/b", "shop/c"]);
});

Deno.test("traffic pairs: a side without a workload is named by its service account", () => {
  const metrics = new TrafficMetrics();
  const of = parties({
    reporter: "destination",
    source: null,
    derivedSource: { identity: "spiffe://td/ns/shop/sa/web" },
  });
  metrics.series(of, metrics.labels.sides(of)).opened++;
  assert.deepEqual(rows(metrics).map(({ source }) => source), ["shop/web"]);
});
