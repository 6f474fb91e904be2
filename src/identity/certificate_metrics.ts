/** Certificates as metrics, gathered at each scrape: how many, in which state, and when the first of them expires. */
import type { Metrics } from "../telemetry/metrics.ts";
import type { CertificateStatus } from "./certificate_manager.ts";

export function collectCertificateMetrics(metrics: Metrics, statuses: readonly CertificateStatus[]): void {
  const counts = { initializing: 0, available: 0, unavailable: 0 };
  let first = Infinity;
  for (const { state } of statuses) {
    counts[state.at]++;
    if (state.at === "available") first = Math.min(first, state.certificate.notAfter);
  }
  for (const [state, count] of Object.entries(counts)) metrics.cell("istio_certificates", state).value = count;
  // 0: there is none. Alerts compare with time(), so a moment serves better than what is left.
  metrics.cell("istio_certificate_expiration_timestamp_seconds").value = first === Infinity
    ? 0
    : Math.floor(first / 1000);
}
