/** The events of the certificate manager, and their log lines (`docs/spec/identity-spire.md` 2.4, 2.6). */
import type { CertificateError } from "./authority.ts";
import type { SpiffeId } from "./spiffe_id.ts";

/** Receives the events of the certificate manager. Times in ms since the epoch, durations in ms. */
export interface ManagerEvents {
  /** A renewal failed; the current certificate is valid until `until`. */
  renewalFailed(id: SpiffeId, error: CertificateError, until: number, retryAt: number): void;
  /** `left` per cent of the lifetime of the current certificate remain. `error`: of the last attempt to renew it. */
  ageing(id: SpiffeId, left: number, until: number, error: CertificateError | null): void;
  /** A fetch failed and there is no valid certificate. */
  fetchFailed(id: SpiffeId, error: CertificateError, retryIn: number): void;
  prefetched(id: SpiffeId): void;
  prefetchFailed(id: SpiffeId, error: CertificateError): void;
  /** Too many prefetches are pending; the certificate will be fetched when a connection needs it. */
  prefetchDropped(id: SpiffeId): void;
}

/** Writes one log line. */
export type WriteLine = (
  level: "debug" | "info" | "warn" | "error",
  message: string,
  fields: Readonly<Record<string, string>>,
) => void;

/** In per cent. At or below it the line has level "error". */
const LAST_WARNING = 5;

/** Writes events as the log lines of ztunnel. `writePrefetch`: for lines about prefetches, which have their own scope. */
export function logManagerEvents(write: WriteLine, writePrefetch: WriteLine = write): ManagerEvents {
  return {
    renewalFailed: (id, error, until, retryAt) =>
      write(
        "info",
        `certificate renewal failed (${error.message}); retaining existing valid certificate until ` +
          `${rfc3339(until)}; next retry at ${rfc3339(retryAt)}`,
        { id },
      ),
    ageing: (id, left, until, error) => {
      const why = error === null ? "the authority has sent no newer one" : error.message;
      const text =
        `certificate expires at ${rfc3339(until)}, ${left}% of its life or less are left, and it could not ` +
        `be renewed (${why}); then connections of this identity fail`;
      write(left <= LAST_WARNING ? "error" : "warn", text, { id });
    },
    fetchFailed: (id, error, retryIn) =>
      write(
        "warn",
        `certificate fetch failed (${error.message}) and no valid existing certificate; will retry in ` +
          `${debugDuration(retryIn)} (backoff capped at 150s)`,
        { id },
      ),
    prefetched: (id) => writePrefetch("debug", `prefetched cert for ${id}`, {}),
    prefetchFailed: (id, error) =>
      writePrefetch("error", `unable to prefetch cert for "${id}", skipping, ${error.message}`, {}),
    prefetchDropped: (id) =>
      writePrefetch("info", `couldn't prefetch: too many prefetches are under way, skipping ${id}`, {}),
  };
}

function rfc3339(ms: number): string {
  return new Date(ms).toISOString();
}

/** Formats a duration as Rust's Debug does: `977.25ms`, `1.2s`, `150s`. */
function debugDuration(ms: number): string {
  const trimmed = (value: number, digits: number) => String(Number(value.toFixed(digits)));
  return ms < 1000 ? `${trimmed(ms, 6)}ms` : `${trimmed(ms / 1000, 9)}s`;
}
