import { strict as assert } from "node:assert";
import type { TrafficParties } from "./traffic_labels.ts";
import {
  countFlag,
  flagged,
  type SeriesLimits,
  type SeriesOverflow,
  seriesOverflowText,
  TrafficMetrics,
} from "./traffic_metrics.ts";
import { destinationPeer, sourcePeer, type TrafficWorkload } from "./traffic_peer.ts";

function workload(name: string, overrides: Partial<TrafficWorkload> = {}): TrafficWorkload {
  return {
    name,
    namespace: "ns",
    trustDomain: "td",
    serviceAccount: "sa",
    workloadName: "owner",
    canonicalName: "app",
    canonicalRevision: "v1",
    clusterId: "c1",
    locality: { region: "r", zone: "z" },
    ...overrides,
  };
}

const NOBODY: TrafficParties = {
  reporter: "destination",
  source: null,
  derivedSource: null,
  destination: null,
  derivedDestination: null,
  service: null,
  mutualTls: false,
};
const BAGGAGE = {
  identity: "spiffe://td/ns/b/sa/b",
  workloadName: "bw",
  serviceName: "bs",
  serviceVersion: "bv",
  namespace: "bn",
  clusterId: "bc",
  region: "br",
  zone: "bz",
};

function find(metrics: TrafficMetrics, parties: TrafficParties) {
  return metrics.series(parties, metrics.labels.sides(parties));
}

Deno.test("dataplane 7.3 pods of one owner share a series", () => {
  const metrics = new TrafficMetrics();
  const one = find(metrics, { ...NOBODY, destination: workload("pod-1") });
  const two = find(metrics, { ...NOBODY, destination: workload("pod-2") });
  assert.equal(one, two);
  assert.equal(metrics.snapshot().length, 1);
});

Deno.test("dataplane 7.3 each end and the service make separate series", () => {
  const metrics = new TrafficMetrics();
  const source = workload("a");
  const variants: TrafficParties[] = [
    { ...NOBODY, source },
    { ...NOBODY, source, reporter: "source" },
    { ...NOBODY, source, mutualTls: true },
    { ...NOBODY, source, derivedSource: BAGGAGE },
    { ...NOBODY, derivedSource: BAGGAGE },
    { ...NOBODY, source, service: { hostname: "h", namespace: "n", name: "s" } },
    { ...NOBODY, source, derivedDestination: BAGGAGE },
    { ...NOBODY, source, destination: workload("b") },
  ];
  const series = variants.map((parties) => find(metrics, parties));
  assert.equal(new Set(series).size, variants.length);
  assert.deepEqual(variants.map((parties) => find(metrics, parties)), series);
});

Deno.test("dataplane 7.3 labels of a known source are preferred over baggage, except for the principal", () => {
  const peer = sourcePeer(workload("pod", { canonicalRevision: "" }), BAGGAGE);
  assert.equal(
    peer.labels,
    'source_workload="owner",source_canonical_service="app",source_canonical_revision="unknown",' +
      'source_workload_namespace="ns",source_principal="spiffe://td/ns/b/sa/b",source_app="app",' +
      'source_version="unknown",source_cluster="c1"',
  );
  assert.deepEqual(peer.log, { workload: "pod", namespace: "ns", identity: BAGGAGE.identity, cluster: "c1" });
  assert.equal(sourcePeer(workload("pod"), null).log.identity, null);
});

Deno.test("dataplane 7.3 labels of a source from its baggage", () => {
  const peer = sourcePeer(null, BAGGAGE);
  assert.equal(
    peer.labels,
    'source_workload="bw",source_canonical_service="bs",source_canonical_revision="bv",' +
      'source_workload_namespace="bn",source_principal="spiffe://td/ns/b/sa/b",source_app="bw",' +
      'source_version="bv",source_cluster="bc"',
  );
  assert.equal(peer.locality, 'source_region="br",source_zone="bz"');
  assert.equal(peer.log.workload, "bs");
});

Deno.test("dataplane 7.3 destination: identity also without mTLS, inner baggage is preferred", () => {
  const plain = destinationPeer(workload("pod"), null);
  assert.match(plain.labels, /destination_principal="spiffe:\/\/td\/ns\/ns\/sa\/sa"/);
  const inner = destinationPeer(workload("gateway"), BAGGAGE);
  assert.match(inner.labels, /^destination_workload="bw",destination_canonical_service="bs"/);
  assert.deepEqual(inner.log, { workload: "bw", namespace: "bn", identity: BAGGAGE.identity, cluster: "bc" });
});

Deno.test("dataplane 8.2 the workload field of a pod without a name is empty", () => {
  assert.equal(sourcePeer(workload(""), null).log.workload, "");
  assert.equal(sourcePeer(null, null).log.workload, null);
});

Deno.test("dataplane 7.3 localities are left out where neither side is known", () => {
  const metrics = new TrafficMetrics();
  assert.doesNotMatch(find(metrics, NOBODY).labels, /region/);
  const silentPeer = find(metrics, { ...NOBODY, derivedSource: {} });
  assert.match(flagged(silentPeer, "DENY"), /response_flags="DENY",.*source_region="unknown"/);
});

Deno.test("traffic metrics: labels from a peer's baggage are bounded in bytes", () => {
  const long = "ä".repeat(60_000);
  const { labels, locality } = sourcePeer(null, {
    workloadName: long,
    serviceName: long,
    serviceVersion: long,
    namespace: long,
    clusterId: long,
    region: long,
    zone: long,
  });
  const values = [...`${labels},${locality}`.matchAll(/="([^"]*)"/g)].map(([, value = ""]) => value);
  const bytes = values.map((value) => new TextEncoder().encode(value).length);
  // Each letter takes two bytes, so the cut is one byte below the bound.
  assert.deepEqual(bytes, [252, 62, 62, 62, 7, 252, 62, 252, 62, 62]);
});

const LIMITS: SeriesLimits = { all: 50, derived: 10, derivedPerIdentity: 4, expiry: 1000 };

/** Metrics with small limits, and the overflows that they reported. */
function limited(limits: Partial<SeriesLimits> = {}) {
  const reported: SeriesOverflow[] = [];
  const metrics = new TrafficMetrics((overflow) => reported.push(overflow), { ...LIMITS, ...limits });
  /** A connection of a peer whose baggage has this namespace. */
  const derived = (identity: string, namespace: string) =>
    find(metrics, { ...NOBODY, derivedSource: { identity, namespace } });
  return { metrics, reported, derived };
}

Deno.test("traffic metrics: series are bounded, and further connections are counted in one series with its own label", () => {
  const { metrics, reported } = limited({ all: 3 });
  const series = Array.from(
    { length: 6 },
    (_, i) => find(metrics, { ...NOBODY, destination: workload("w", { workloadName: `${i}` }) }),
  );
  assert.equal(new Set(series).size, 4);
  assert.equal(series[3], series[5]);
  assert.match(
    series[3]?.labels ?? "",
    /^reporter="destination",source_workload="too-many-series",.*source_principal="unknown"/,
  );
  assert.deepEqual(reported, [{ bound: "all", limit: 3, identity: null }]);
  assert.equal(metrics.snapshot().length, 4);
});

Deno.test("traffic metrics: series from the baggage of one identity are bounded; those of others are not affected", () => {
  const { reported, derived } = limited();
  const busy = Array.from({ length: 8 }, (_, i) => derived("spiffe://td/a", `n${i}`));
  assert.equal(new Set(busy).size, 5);
  assert.match(busy[7]!.labels, /source_workload="too-many-series"/);
  assert.equal(derived("spiffe://td/a", "n0"), busy[0], "what is there is still counted by itself");
  assert.match(derived("spiffe://td/b", "n7").labels, /source_workload_namespace="n7"/);
  assert.deepEqual(reported, [{ bound: "derivedPerIdentity", limit: 4, identity: "spiffe://td/a" }]);
  assert.match(seriesOverflowText(reported[0]!), /^baggage of spiffe:\/\/td\/a has made 4 series/);
});

Deno.test("traffic metrics: series from all baggage are bounded; those of the mesh are not affected", () => {
  const { metrics, reported, derived } = limited();
  for (let i = 0; i < 20; i++) derived(`spiffe://td/${i % 5}`, `n${i}`);
  assert.equal(metrics.snapshot().length, 11);
  assert.deepEqual(reported.map(({ bound }) => bound), ["derived"]);
  const known = find(metrics, { ...NOBODY, source: workload("a"), derivedSource: BAGGAGE });
  assert.match(known.labels, /source_workload="owner"/);
  const certificate = find(metrics, { ...NOBODY, derivedSource: { identity: "spiffe://td/z" } });
  assert.match(certificate.labels, /source_principal="spiffe:\/\/td\/z"/);
});

/** The result of a reading, by the value of the last label. */
function read(metrics: TrafficMetrics, now: number): { readonly kept: number; readonly last: number } {
  const items = [...metrics.read(now)];
  return { kept: items.filter(({ last }) => !last).length, last: items.filter(({ last }) => last).length };
}

Deno.test("traffic metrics: a series that has not changed is removed once its last values were read", () => {
  const { metrics, derived } = limited();
  const series = derived("spiffe://td/a", "n");
  series.opened = 1;
  countFlag(series.closed, "-");
  assert.deepEqual(read(metrics, 5000), { kept: 1, last: 0 });
  series.sent = 7;
  assert.deepEqual(read(metrics, 7000), { kept: 1, last: 0 }, "it has changed since");
  assert.deepEqual(read(metrics, 7999), { kept: 1, last: 0 });
  assert.deepEqual(read(metrics, 8000), { kept: 0, last: 1 });
  assert.deepEqual(read(metrics, 8001), { kept: 0, last: 0 });
  assert.notEqual(derived("spiffe://td/a", "n"), series, "and starts again from zero");
  assert.equal(metrics.snapshot().length, 1);
});

Deno.test("traffic metrics: a caller that keeps the peers of a removed series gets a new series", () => {
  const { metrics } = limited();
  const parties = { ...NOBODY, source: workload("a"), destination: workload("b") };
  const series = find(metrics, parties);
  read(metrics, 0);
  assert.deepEqual(read(metrics, 1000), { kept: 0, last: 1 });
  assert.notEqual(find(metrics, parties), series);
});

Deno.test("traffic metrics: a series with an open connection is not removed, nor any with an expiry of 0", () => {
  const { metrics, derived } = limited();
  derived("spiffe://td/a", "n").opened = 1;
  read(metrics, 0);
  assert.deepEqual(read(metrics, 1e9), { kept: 1, last: 0 });
  const never = limited({ expiry: 0 });
  never.derived("spiffe://td/a", "n");
  read(never.metrics, 0);
  assert.deepEqual(read(never.metrics, 1e9), { kept: 1, last: 0 });
});

Deno.test("traffic metrics: a removed series makes room for others", () => {
  const { metrics, derived } = limited({ derived: 4 });
  for (let i = 0; i < 4; i++) derived("spiffe://td/a", `n${i}`);
  read(metrics, 0);
  read(metrics, 1000);
  assert.match(derived("spiffe://td/a", "new").labels, /source_workload_namespace="new"/);
});
