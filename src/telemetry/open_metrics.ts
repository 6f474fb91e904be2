/**
 * Writes snapshots as text (OpenMetrics 1.0.0; `docs/spec/config-admin.md` 5.1).
 *
 * No metrics library is used: our counters are not objects of a library; its readers expect a fixed form (a full stop
 * after the help text, no families without samples, `le` first, integers without a decimal point); and the labels of a
 * series are already one text.
 */
import { FAMILIES, type FamilyName, type MetricFamily, type TrafficName } from "./metric_catalogue.ts";
import type { Cell, HistogramCell, MetricsSnapshot } from "./metrics.ts";
import type { ResponseFlag } from "./response_flags.ts";
import { type ByFlag, flagged, type TrafficSeries } from "./traffic_metrics.ts";

/** All families with samples, in the order of the catalogue, and `# EOF`; in pieces of a few lines. */
export function* openMetricsPieces(snapshot: MetricsSnapshot): Generator<string, void, undefined> {
  for (const name of Object.keys(FAMILIES) as FamilyName[]) {
    const family: MetricFamily = FAMILIES[name];
    let head = headOf(name, family);
    for (const samples of samplesOf(name, family, snapshot)) {
      if (samples.length === 0) continue;
      yield `${head}${samples.join("\n")}\n`;
      head = "";
    }
  }
  yield "# EOF\n";
}

function headOf(name: FamilyName, { kind, help, unit }: MetricFamily): string {
  const type = kind === "traffic" ? "counter" : kind;
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${unit === null ? "" : `# UNIT ${name} ${unit}\n`}`;
}

/** The samples of a family, one label set after the other. */
function* samplesOf(
  name: FamilyName,
  family: MetricFamily,
  { cells, histograms, traffic }: MetricsSnapshot,
): Generator<string[], void, undefined> {
  switch (family.kind) {
    case "counter":
    case "gauge": {
      const sample = family.kind === "counter" ? `${name}_total` : name;
      for (const cell of cells) if (cell.family === name) yield [cellSample(sample, cell)];
      return;
    }
    case "histogram":
      for (const cell of histograms) if (cell.family === name) yield histogramSamples(name, cell, family.buckets);
      return;
    case "traffic":
      for (const series of traffic) yield trafficSamples(name as TrafficName, series);
      return;
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

/** Floats always have a decimal point. */
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
