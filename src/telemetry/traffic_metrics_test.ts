import { strict as assert } from "node:assert";
import type { TrafficParties } from "./traffic_labels.ts";
import { flagged, TrafficMetrics } from "./traffic_metrics.ts";
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

Deno.test("dataplane 7.3 every party makes a difference", () => {
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

Deno.test("dataplane 7.3 a known source overwrites its baggage, except for the principal", () => {
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

Deno.test("dataplane 7.3 derived source", () => {
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

Deno.test("dataplane 7.3 destination: identity also without mTLS, baggage of the inner side wins", () => {
  const plain = destinationPeer(workload("pod"), null);
  assert.match(plain.labels, /destination_principal="spiffe:\/\/td\/ns\/ns\/sa\/sa"/);
  const inner = destinationPeer(workload("gateway"), BAGGAGE);
  assert.match(inner.labels, /^destination_workload="bw",destination_canonical_service="bs"/);
  assert.deepEqual(inner.log, { workload: "bw", namespace: "bn", identity: BAGGAGE.identity, cluster: "bc" });
});

Deno.test("dataplane 8.2 a pod without a name is shown as empty", () => {
  assert.equal(sourcePeer(workload(""), null).log.workload, "");
  assert.equal(sourcePeer(null, null).log.workload, null);
});

Deno.test("dataplane 7.3 localities are missing when nobody said anything", () => {
  const metrics = new TrafficMetrics();
  assert.doesNotMatch(find(metrics, NOBODY).labels, /region/);
  const silentPeer = find(metrics, { ...NOBODY, derivedSource: {} });
  assert.match(flagged(silentPeer, "DENY"), /response_flags="DENY",.*source_region="unknown"/);
});

Deno.test("traffic metrics: what a peer says of itself is bounded in length", () => {
  assert.ok(sourcePeer(null, { workloadName: "x".repeat(60_000) }).labels.length < 1_000);
});

Deno.test("traffic metrics: series are bounded, the rest is counted together", () => {
  const overflows: number[] = [];
  const metrics = new TrafficMetrics((bound) => overflows.push(bound), 3);
  const series = Array.from(
    { length: 6 },
    (_, i) => find(metrics, { ...NOBODY, derivedSource: { namespace: `n${i}` } }),
  );
  assert.equal(new Set(series).size, 4);
  assert.equal(series[3], series[5]);
  assert.match(series[3]?.labels ?? "", /^reporter="destination",source_workload="unknown"/);
  assert.deepEqual(overflows, [3]);
  assert.equal(metrics.snapshot().length, 4);
});
