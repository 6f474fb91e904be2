/** What the certificate manager tells the log, and in which words (`docs/spec/identity-spire.md` 2.4, 2.6). */
import type { CertificateError } from "./authority.ts";
import type { SpiffeId } from "./spiffe_id.ts";

/** Times in ms since the epoch, durations in ms. */
export interface ManagerEvents {
  /** A renewal failed; the certificate held is good until `until`. */
  renewalFailed(id: SpiffeId, error: CertificateError, until: number, retryAt: number): void;
  /** `left` per cent of the life of the certificate held are left. `error`: of the last attempt to renew it. */
  ageing(id: SpiffeId, left: number, until: number, error: CertificateError | null): void;
  /** A fetch failed and there is nothing valid to fall back on. */
  fetchFailed(id: SpiffeId, error: CertificateError, retryIn: number): void;
  prefetched(id: SpiffeId): void;
  prefetchFailed(id: SpiffeId, error: CertificateError): void;
  /** Too many prefetches are under way; the certificate will be fetched when somebody needs it. */
  prefetchDropped(id: SpiffeId): void;
}

/** The part of a logger that is needed here. */
export type WriteLine = (
  level: "debug" | "info" | "warn" | "error",
  message: string,
  fields: Readonly<Record<string, string>>,
) => void;

/** In per cent: from here on it is urgent. */
const LAST_WARNING = 5;

/** Writes events as ztunnel's log lines. `writePrefetch`: for lines about prefetches, which have their own scope. */
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

/** As Rust prints a duration for debugging: `977.25ms`, `1.2s`, `150s`. */
export function debugDuration(ms: number): string {
  const trimmed = (value: number, digits: number) => String(Number(value.toFixed(digits)));
  return ms < 1000 ? `${trimmed(ms, 6)}ms` : `${trimmed(ms / 1000, 9)}s`;
}
