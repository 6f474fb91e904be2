import { strict as assert } from "node:assert";
import { FAMILIES } from "./metric_catalogue.ts";
import { Metrics, type MetricsSnapshot, observe } from "./metrics.ts";
import { MetricsSum } from "./metrics_sum.ts";
import { openMetricsPieces } from "./open_metrics.ts";
import { collectProcessMetrics } from "./process_metrics.ts";
import { onDemandDnsLabels } from "./source_labels.ts";

const CLIENT = {
  name: "client-1",
  namespace: "app",
  trustDomain: "cluster.local",
  serviceAccount: "client",
  workloadName: "client-1",
  canonicalName: "client",
  canonicalRevision: "latest",
  clusterId: "Kubernetes",
  locality: { region: "r1", zone: "z1" },
};

/** An excerpt of the native proxy's output, with one series per family. */
const RECORDED = `# HELP process_open_fds Number of open file descriptors
# TYPE process_open_fds gauge
process_open_fds 49
# HELP process_max_fds Maximum number of file descriptors
# TYPE process_max_fds gauge
process_max_fds 20000
# HELP istio_build Istio component build info.
# TYPE istio_build gauge
istio_build{component="ztunnel",tag="unknown"} 1
# HELP istio_xds_message Total number of messages received (unstable).
# TYPE istio_xds_message counter
istio_xds_message_total{url="type.googleapis.com/istio.workload.Address"} 1
istio_xds_message_total{url="type.googleapis.com/istio.security.Authorization"} 1
# HELP istio_xds_message_bytes Total number of bytes received (unstable).
# TYPE istio_xds_message_bytes counter
# UNIT istio_xds_message_bytes bytes
istio_xds_message_bytes_total{url="type.googleapis.com/istio.workload.Address"} 3925
# HELP istio_tcp_connections_opened The total number of TCP connections opened.
# TYPE istio_tcp_connections_opened counter
istio_tcp_connections_opened_total{LABELS="-"REST} 3
# HELP istio_tcp_connections_closed The total number of TCP connections closed.
# TYPE istio_tcp_connections_closed counter
istio_tcp_connections_closed_total{LABELS="-"REST} 2
istio_tcp_connections_closed_total{LABELS="CONNECT"REST} 1
# HELP istio_tcp_received_bytes The size of total bytes received during request in case of a TCP connection.
# TYPE istio_tcp_received_bytes counter
istio_tcp_received_bytes_total{LABELS="-"REST} 154
# HELP istio_tcp_sent_bytes The size of total bytes sent during response in case of a TCP connection.
# TYPE istio_tcp_sent_bytes counter
istio_tcp_sent_bytes_total{LABELS="-"REST} 292
# HELP istio_on_demand_dns The total number of requests that used on-demand DNS (unstable).
# TYPE istio_on_demand_dns counter
istio_on_demand_dns_total{source_workload="client-1",source_canonical_service="client",\
source_canonical_revision="latest",source_workload_namespace="app",\
source_principal="spiffe://cluster.local/ns/app/sa/client",source_app="client",source_version="latest",\
source_cluster="Kubernetes",hostname="ext.example.com"} 1
# HELP istio_tcp_connections_failed The total number of TCP connections that failed to establish (unstable).
# TYPE istio_tcp_connections_failed counter
istio_tcp_connections_failed_total{LABELS="CONNECT"REST} 1
# HELP istio_tcp_sockets_open The current number of open TCP sockets (unstable).
# TYPE istio_tcp_sockets_open gauge
istio_tcp_sockets_open{reporter="destination"} 2
istio_tcp_sockets_open{reporter="source"} 0
# HELP istio_dns_upstream_request_duration_seconds Total time in seconds Istio takes to get DNS response from upstream \
(unstable).
# TYPE istio_dns_upstream_request_duration_seconds histogram
# UNIT istio_dns_upstream_request_duration_seconds seconds
istio_dns_upstream_request_duration_seconds_sum{DNS} 0.001675805
istio_dns_upstream_request_duration_seconds_count{DNS} 3
istio_dns_upstream_request_duration_seconds_bucket{le="0.0005",DNS} 0
istio_dns_upstream_request_duration_seconds_bucket{le="0.001",DNS} 3
istio_dns_upstream_request_duration_seconds_bucket{le="0.01",DNS} 3
istio_dns_upstream_request_duration_seconds_bucket{le="0.1",DNS} 3
istio_dns_upstream_request_duration_seconds_bucket{le="1.0",DNS} 3
istio_dns_upstream_request_duration_seconds_bucket{le="5.0",DNS} 3
istio_dns_upstream_request_duration_seconds_bucket{le="+Inf",DNS} 3
# HELP workload_manager_active_proxy_count The total number current workloads with active proxies (unstable).
# TYPE workload_manager_active_proxy_count gauge
workload_manager_active_proxy_count 2
# HELP workload_manager_proxies_started The total number of proxies that were started (unstable).
# TYPE workload_manager_proxies_started counter
workload_manager_proxies_started_total 2
# EOF
`;
const LABELS =
  'reporter="source",source_workload="client-1",source_canonical_service="client",source_canonical_revision="latest",' +
  'source_workload_namespace="app",source_principal="unknown",source_app="client",source_version="latest",' +
  'source_cluster="Kubernetes",destination_service="unknown",destination_service_namespace="unknown",' +
  'destination_service_name="unknown",destination_workload="unknown",destination_canonical_service="unknown",' +
  'destination_canonical_revision="unknown",destination_workload_namespace="unknown",' +
  'destination_principal="unknown",destination_app="unknown",destination_version="unknown",' +
  'destination_cluster="unknown",request_protocol="tcp",response_flags';
const REST = ',connection_security_policy="unknown",source_region="r1",source_zone="z1",destination_region="unknown",' +
  'destination_zone="unknown"';
const DNS =
  'request_query_type="a",request_protocol="udp",source_canonical_service="client",source_canonical_revision="latest"';

const renderOpenMetrics = (snapshot: MetricsSnapshot) => [...openMetricsPieces(snapshot)].join("");

function recorded(): Metrics {
  const metrics = new Metrics();
  metrics.cell("workload_manager_proxies_started").value = 2;
  metrics.cell("workload_manager_active_proxy_count").value = 2;
  const duration = metrics.histogram("istio_dns_upstream_request_duration_seconds", "a", "udp", "client", "latest");
  for (const seconds of [0.00055, 0.00055, 0.000575805]) observe(duration, seconds);
  metrics.cell("istio_tcp_sockets_open", "destination").value += 2;
  metrics.cell("istio_tcp_sockets_open", "source");
  metrics.cell("istio_on_demand_dns", ...onDemandDnsLabels(CLIENT, "ext.example.com")).value++;
  const parties = {
    reporter: "source",
    source: CLIENT,
    derivedSource: null,
    destination: null,
    derivedDestination: null,
    service: null,
    mutualTls: false,
  } as const;
  const series = metrics.traffic.series(parties, metrics.traffic.labels.sides(parties));
  Object.assign(series, {
    opened: 3,
    received: 154,
    sent: 292,
    closed: { "-": 2, CONNECT: 1 },
    failed: { CONNECT: 1 },
  });
  metrics.cell("istio_xds_message", "type.googleapis.com/istio.workload.Address").value++;
  metrics.cell("istio_xds_message", "type.googleapis.com/istio.security.Authorization").value++;
  metrics.cell("istio_xds_message_bytes", "type.googleapis.com/istio.workload.Address").value += 3925;
  metrics.cell("istio_build", "ztunnel", "unknown").value = 1;
  metrics.cell("process_max_fds").value = 20000;
  metrics.cell("process_open_fds").value = 49;
  return metrics;
}

function expected(text: string): string[] {
  return text.replaceAll("LABELS", LABELS).replaceAll("REST", REST).replaceAll("DNS", DNS)
    .replaceAll(`on-demand ${DNS}`, "on-demand DNS").replaceAll(`get ${DNS}`, "get DNS").split("\n");
}

Deno.test("dataplane 7.1 exposition, as recorded", () => {
  assert.deepEqual(renderOpenMetrics(recorded().snapshot()).split("\n"), expected(RECORDED));
});

Deno.test("dataplane 7.1 without values there are no families", () =>
  assert.equal(renderOpenMetrics(new Metrics().snapshot()), "# EOF\n"));

Deno.test("dataplane 7.1, TE-16: help texts say which families are unstable", () => {
  const stable = Object.entries(FAMILIES).filter(([, family]) => !family.help.includes("(unstable)"));
  assert.deepEqual(stable.map(([name]) => name), [
    "process_open_fds",
    "process_max_fds",
    "process_cpu_seconds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "istio_build",
    "istio_tcp_connections_opened",
    "istio_tcp_connections_closed",
    "istio_tcp_received_bytes",
    "istio_tcp_sent_bytes",
  ]);
});

Deno.test("inpod-dns B5.12 an observation counts in the first bucket whose bound is not below it", () => {
  const metrics = new Metrics();
  const cell = metrics.histogram("istio_dns_upstream_request_duration_seconds", "a", "udp", null, null);
  for (const seconds of [0.0005, 0.00051, 1, 5, 5.1]) observe(cell, seconds);
  assert.deepEqual(cell.counts, [1, 1, 0, 0, 1, 1, 1]);
  assert.equal(cell.labels.includes('source_canonical_service="unknown"'), true);
});

Deno.test("metrics: snapshots of isolates add up after a structured clone", () => {
  const one = structuredClone(recorded().snapshot());
  const two = structuredClone(recorded().snapshot());
  const sum = new MetricsSum();
  for (const part of [one, two]) sum.add(part);
  const merged = sum.finish();
  const text = renderOpenMetrics(merged);
  assert.match(text, /^istio_tcp_sockets_open\{reporter="destination"\} 4$/m);
  assert.match(text, /^istio_tcp_connections_closed_total\{.*response_flags="-".*\} 4$/m);
  assert.match(text, /^istio_tcp_sent_bytes_total\{.*\} 584$/m);
  assert.match(text, /^istio_dns_upstream_request_duration_seconds_count\{.*\} 6$/m);
  assert.equal(one.traffic[0]?.opened, 3);
});

Deno.test("dataplane 7.1 label values are escaped", () => {
  const metrics = new Metrics();
  metrics.cell("istio_build", 'a"b\\c\nd', "").value = 1;
  assert.match(renderOpenMetrics(metrics.snapshot()), /istio_build\{component="a\\"b\\\\c\\nd",tag="unknown"\} 1/);
});

Deno.test("metrics: the label sets of a family are bounded", () => {
  const metrics = new Metrics();
  for (let i = 0; i < 10_010; i++) metrics.cell("istio_xds_connection_terminations", `r${i}`).value++;
  const cells = metrics.snapshot().cells;
  assert.equal(cells.length, 10_001);
  assert.equal(metrics.cell("istio_xds_connection_terminations", null).value, 10);
});

Deno.test("metrics: a wrong number of labels throws", () => {
  assert.throws(() => new Metrics().cell("istio_build", "ztunnel"), RangeError);
});

Deno.test("config C43 process metrics", () => {
  const metrics = new Metrics();
  collectProcessMetrics(metrics, (text) => assert.fail(text));
  assert.ok(metrics.cell("process_open_fds").value > 0);
  assert.ok(metrics.cell("process_max_fds").value > 0);
  assert.ok(metrics.cell("process_cpu_seconds").value > 0);
  assert.ok(metrics.cell("process_resident_memory_bytes").value > 10_000_000);
  const start = metrics.cell("process_start_time_seconds").value;
  assert.ok(start > 1.7e9 && start <= Date.now() / 1000 + 1);
});

Deno.test("process metrics: times of a program whose name has spaces and parentheses", () => {
  const metrics = new Metrics();
  const stat = "7 (a) S (b) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 9 0 1234 5 6";
  const files: Record<string, string> = { "/proc/self/stat": stat, "/proc/stat": "cpu 1 2\nbtime 1700000000\n" };
  collectProcessMetrics(metrics, (text) => assert.fail(text), { count: () => 1, read: (path) => files[path] ?? "" });
  assert.equal(metrics.cell("process_cpu_seconds").value, 2);
  assert.equal(metrics.cell("process_start_time_seconds").value, 1_700_000_012.34);
});

Deno.test("config 5.2 descriptors that cannot be counted", () => {
  const metrics = new Metrics();
  const errors: string[] = [];
  const fail = () => {
    throw new Error("no /proc");
  };
  collectProcessMetrics(metrics, (text) => errors.push(text), { count: fail, read: () => "Max open files  unlimited" });
  const families = metrics.snapshot().cells.map(({ family }) => family);
  assert.deepEqual(families, ["process_open_fds", "process_resident_memory_bytes"]);
  assert.equal(metrics.cell("process_open_fds").value, 0);
  assert.deepEqual(errors, ["could not count open file descriptors: no /proc"]);
});
