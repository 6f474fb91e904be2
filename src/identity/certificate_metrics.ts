/** Metrics of certificates, computed at each scrape: how many are in which state, and when the first expires. */
import type { Metrics } from "../telemetry/metrics.ts";
import type { CertificateStatus } from "./certificate_manager.ts";

/** Since when there is a problem, in ms since the epoch; null: there is none. */
interface CertificateTimes {
  /** The authority has been unreachable. */
  readonly awaySince: number | null;
  /** No certificate has been available. */
  readonly noneSince: number | null;
}

/** Writes the current values into `metrics`. */
export function collectCertificateMetrics(
  metrics: Metrics,
  statuses: readonly CertificateStatus[],
  { awaySince, noneSince }: CertificateTimes,
): void {
  metrics.cell("istio_certificate_authority_away_timestamp_seconds").value = seconds(awaySince);
  metrics.cell("istio_certificates_none_available_timestamp_seconds").value = seconds(noneSince);
  const counts = { initializing: 0, available: 0, unavailable: 0 };
  let first = Infinity;
  for (const { state } of statuses) {
    counts[state.at]++;
    if (state.at === "available") first = Math.min(first, state.certificate.notAfter);
  }
  for (const [state, count] of Object.entries(counts)) metrics.cell("istio_certificates", state).value = count;
  // 0: there is no certificate. A timestamp, as alerts compare it with time().
  metrics.cell("istio_certificate_expiration_timestamp_seconds").value = first === Infinity
    ? 0
    : Math.floor(first / 1000);
}

function seconds(time: number | null): number {
  return time === null ? 0 : Math.floor(time / 1000);
}
