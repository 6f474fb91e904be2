/** `docs/metrics.md`: every metric, from the catalogue of the code. */
import { FAMILIES, type MetricFamily } from "../../src/telemetry/metric_catalogue.ts";
import { Metrics } from "../../src/telemetry/metrics.ts";
import type { TrafficParties } from "../../src/telemetry/traffic_labels.ts";
import { code, madeFrom, table } from "./markdown.ts";

const INTRODUCTION = `# Metrics

Port 15020 serves them at \`/metrics\` (also at \`/stats/prometheus\`) in the OpenMetrics text format. Names, labels and helps
are those of the Rust ztunnel, so its dashboards and alerts work; "here" marks metrics that only this proxy has. A family
appears once it has a sample. Process metrics are about the whole process, metrics with the label \`thread\` about one of
its threads, and all others are sums over the threads.

`;

const ALERTS = `
## For alerts

| watch | problem |
| --- | --- |
| \`istio_certificates{state="unavailable"}\` above 0 | pods without a usable certificate: their connections fail |
| \`istio_certificate_expiration_timestamp_seconds\` soon | certificates are not renewed |
| \`istio_certificate_authority_away_timestamp_seconds\` above 0 for minutes | the certificate authority does not answer |
| \`istio_xds_rejected_resources_total\` rises | istiod sends resources that cannot be used; their previous versions stay in force |
| \`workload_manager_audit_differences\` above 0 | a pod is not served as it should be; the log has details (\`pods audit:\`) |
| \`workload_manager_pending_proxy_count\` above 0 for minutes | pods wait to be served; the log says for what |
| \`istio_held_bytes_limit_reached_total\` rises | applications do not read what their peers send (\`HELD_BYTES_MAX\`) |
| \`istio_tcp_half_closed_timeouts_total\` rises | applications end one side of a connection and never the other one (\`HALF_CLOSED_TIMEOUT\`); the access log has their addresses |
| \`rate(ztunnel_event_loop_busy_seconds_total[5m])\` near 1 | a worker uses a whole CPU: more threads, or fewer pods on the node |
| \`ztunnel_event_loop_longest_turn_seconds\` above 0.05 | connections waited for so long: the CPU is throttled or shared |
| \`istio_log_lines_dropped_total\` rises | whatever reads the log is too slow |
`;

export function metricsPage(): string {
  return [
    madeFrom("`src/telemetry/metric_catalogue.ts`"),
    INTRODUCTION,
    table(
      ["metric", "kind", "labels", "meaning", ""],
      Object.entries(FAMILIES).map(([name, family]) => row(name, family)),
    ),
    ALERTS,
    "\n## Labels of traffic\n\n",
    "The metrics of TCP connections have these labels. A value that is not known is `unknown`.\n\n",
    trafficLabels().map(code).join(", "),
    ".\n\n`response_flags` says why a connection failed; `-`: it did not. Series are bounded in number and removed when they do\n",
    "not change any more: `METRICS_SERIES_EXPIRY` and `METRICS_DERIVED_SERIES_MAX` in [configuration.md](configuration.md).\n",
  ].join("");
}

function row(name: string, family: MetricFamily): string[] {
  const traffic = family.kind === "traffic";
  const counter = traffic || family.kind === "counter";
  return [
    code(counter ? `${name}_total` : name),
    counter ? "counter" : family.kind,
    traffic ? "[of traffic](#labels-of-traffic)" : family.labels.map(code).join(", "),
    family.help.replace(/\s*\(unstable\)\.$/, "."),
    family.ours ? "here" : "",
  ];
}

/** As the code writes them, in their order. */
function trafficLabels(): string[] {
  const { traffic } = new Metrics();
  const parties: TrafficParties = {
    reporter: "source",
    source: null,
    derivedSource: null,
    destination: null,
    derivedDestination: null,
    service: null,
    mutualTls: false,
  };
  const series = traffic.series(parties, traffic.labels.sides(parties));
  return [...series.labels.matchAll(/(?:^|,)([a-z_]+)="/g)].map(([, name]) => name!);
}
