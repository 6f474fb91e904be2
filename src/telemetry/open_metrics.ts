/**
 * Snapshots as text (OpenMetrics 1.0.0; `docs/spec/config-admin.md` 5.1).
 *
 * Written here and not by a metrics library: our counters are no objects of one, the shape (help with its dot, family
 * without samples left out, `le` first, whole numbers without a point) is fixed by what reads it, and the labels of a
 * series are one text already.
 */
import { FAMILIES, type FamilyName, type MetricFamily, type TrafficName } from "./metric_catalogue.ts";
import type { Cell, HistogramCell, MetricsSnapshot } from "./metrics.ts";
import type { ResponseFlag } from "./response_flags.ts";
import { type ByFlag, flagged, type TrafficSeries } from "./traffic_metrics.ts";

/** All families that have samples, in the order of the catalogue, ended by `# EOF`. */
export function renderOpenMetrics(snapshot: MetricsSnapshot): string {
  const lines: string[] = [];
  for (const name of Object.keys(FAMILIES) as FamilyName[]) {
    const family: MetricFamily = FAMILIES[name];
    const samples = samplesOf(name, family, snapshot);
    if (samples.length === 0) continue;
    lines.push(`# HELP ${name} ${family.help}`);
    lines.push(`# TYPE ${name} ${family.kind === "traffic" ? "counter" : family.kind}`);
    if (family.unit !== null) lines.push(`# UNIT ${name} ${family.unit}`);
    // One by one: spreading tens of thousands of arguments overflows the stack.
    for (const sample of samples) lines.push(sample);
  }
  lines.push("# EOF\n");
  return lines.join("\n");
}

function samplesOf(name: FamilyName, family: MetricFamily, snapshot: MetricsSnapshot): string[] {
  switch (family.kind) {
    case "counter":
      return snapshot.cells.filter((cell) => cell.family === name).map((cell) => cellSample(`${name}_total`, cell));
    case "gauge":
      return snapshot.cells.filter((cell) => cell.family === name).map((cell) => cellSample(name, cell));
    case "histogram":
      return snapshot.histograms.filter((cell) => cell.family === name)
        .flatMap((cell) => histogramSamples(name, cell, family.buckets));
    case "traffic":
      return snapshot.traffic.flatMap((series) => trafficSamples(name as TrafficName, series));
    default:
      return family.kind satisfies never;
  }
}

function cellSample(sample: string, { labels, value }: Cell): string {
  return labels === "" ? `${sample} ${value}` : `${sample}{${labels}} ${value}`;
}

function histogramSamples(name: string, cell: HistogramCell, buckets: readonly string[]): string[] {
  const { labels, counts, sum } = cell;
  const rest = labels === "" ? "" : `,${labels}`;
  const braces = labels === "" ? "" : `{${labels}}`;
  let below = 0;
  const bucketSamples = [...buckets, "+Inf"].map((bound, index) => {
    below += counts[index] ?? 0;
    return `${name}_bucket{le="${bound}"${rest}} ${below}`;
  });
  return [`${name}_sum${braces} ${float(sum)}`, `${name}_count${braces} ${below}`, ...bucketSamples];
}

/** Floats always show a point. */
function float(value: number): string {
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}

function trafficSamples(name: TrafficName, series: TrafficSeries): string[] {
  const sample = (flag: ResponseFlag, value: number) => `${name}_total{${flagged(series, flag)}} ${value}`;
  const byFlag = (counts: ByFlag) => Object.entries(counts).map(([flag, count]) => sample(flag as ResponseFlag, count));
  switch (name) {
    case "istio_tcp_connections_opened":
      return [sample("-", series.opened)];
    case "istio_tcp_received_bytes":
      return [sample("-", series.received)];
    case "istio_tcp_sent_bytes":
      return [sample("-", series.sent)];
    case "istio_tcp_connections_closed":
      return byFlag(series.closed);
    case "istio_tcp_connections_failed":
      return byFlag(series.failed);
    default:
      return name satisfies never;
  }
}
