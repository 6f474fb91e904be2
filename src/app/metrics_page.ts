/** Gathers what a scrape shows: the metrics of the main isolate and of every worker. */
import type { CollectMetrics } from "../admin/stats_server.ts";
import type { Certificates } from "../control/certificates/certificates.ts";
import type { Workers } from "../control/workers/workers.ts";
import type { Log } from "../telemetry/log.ts";
import type { LogWriter } from "../telemetry/log_writer.ts";
import { collectIsolateMetrics } from "../telemetry/isolate_metrics.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { MetricsSum, RemovedTraffic } from "../telemetry/metrics_sum.ts";
import { collectProcessMetrics } from "../telemetry/process_metrics.ts";

interface MetricsPageParts {
  readonly metrics: Metrics;
  readonly certificates: Certificates;
  readonly workers: Workers;
  readonly writer: LogWriter;
  readonly log: Log;
}

export function metricsPage({ metrics, certificates, workers, writer, log }: MetricsPageParts): CollectMetrics {
  const forgotten = new RemovedTraffic();
  return async () => {
    certificates.collectMetrics();
    collectIsolateMetrics(metrics, "main", writer);
    collectProcessMetrics(metrics, (text) => log.scope("ztunnel::metrics").warn(text));
    const sum = new MetricsSum();
    sum.add(metrics.snapshot());
    await workers.addMetrics(sum);
    return sum.finish(forgotten);
  };
}
