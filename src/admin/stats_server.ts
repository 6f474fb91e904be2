/** `/metrics` and `/stats/prometheus` (`docs/spec/config-admin.md` 5.1). */
import { mergeSnapshots, type MetricsSnapshot } from "../telemetry/metrics.ts";
import { renderOpenMetrics } from "../telemetry/open_metrics.ts";
import { compressed } from "./compression.ts";
import type { HttpHandler } from "./http_connection.ts";
import { MetricsPages } from "./metrics_pages.ts";
import { routed } from "./routes.ts";

/** One snapshot of each isolate. */
export type CollectSnapshots = () => Promise<readonly MetricsSnapshot[]>;

const OPEN_METRICS = "application/openmetrics-text;charset=utf-8;version=1.0.0";
const PLAIN_TEXT = "text/plain; charset=utf-8";

export function statsHandler(collect: CollectSnapshots): HttpHandler {
  const pages = new MetricsPages(async () => renderOpenMetrics(mergeSnapshots(await collect())));
  const metrics: HttpHandler = async (request) => {
    const page = await pages.take();
    const close = () => pages.release(page);
    const headers = [["content-type", metricsType(request.headers.get("accept") ?? [])]] as const;
    try {
      return { ...await compressed(request, { status: 200, headers, body: page.bytes }, page.coded), close };
    } catch (error) {
      close();
      throw error;
    }
  };
  return routed({ "/metrics": metrics, "/stats/prometheus": metrics });
}

/** The body is the same under both types. Items are not trimmed: scrapers have long seen it so. */
export function metricsType(accept: readonly string[]): string {
  const types = accept.flatMap((value) => value.split(",")).map((item) => item.split(";", 1)[0]?.toLowerCase());
  return types.includes("application/openmetrics-text") ? OPEN_METRICS : PLAIN_TEXT;
}
