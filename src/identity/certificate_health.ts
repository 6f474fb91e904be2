/**
 * Tracks whether this node has any certificate at all, and since when it has none, for the readiness probe and for a
 * metric. Failures that concern one pod only (no registration entry, no process) do not make the node unready.
 */
import type { CertificateErrorCode } from "./authority.ts";
import type { CertificateState } from "./certificate_state.ts";

/** ms for which a node without any certificate stays ready: a restart of the authority must not make it unready. */
const GRACE_PERIOD = 5 * 60_000;

/** Failures that concern one pod and not the authority. */
const POD_FAILURES: ReadonlySet<CertificateErrorCode> = new Set([
  "NO_ENTRY",
  "SAN_MISMATCH",
  "NO_PROCESS",
  "UNKNOWN_WORKLOAD",
  "INVALID_IDENTITY",
]);

/** That no certificate is available. */
interface CertificateTrouble {
  /** `no certificate of 12 is available since 2026-01-01T00:00:00.000Z: <the last reason>` */
  readonly text: string;
  /** True until the grace period has passed; always true where all failures concern single pods. */
  readonly ready: boolean;
}

/** Receives the state of every certificate and derives the health of the node from it. */
export class CertificateHealth {
  readonly #available = new Set<string>();
  /** By key; true: the failure concerns this pod only. */
  readonly #unavailable = new Map<string, boolean>();
  #reason = "";
  /** ms since the epoch; null: a certificate is available, or none is needed. */
  #noneSince: number | null = null;
  /** As `#noneSince`, but null also while all failures concern single pods. */
  #blockedSince: number | null = null;

  /** Records the state of the certificate with this key; null: it was removed. `now`: ms since the epoch. */
  changed(key: string, state: CertificateState | null, now: number): void {
    this.#available.delete(key);
    this.#unavailable.delete(key);
    if (state?.at === "available") this.#available.add(key);
    if (state?.at === "unavailable") {
      this.#unavailable.set(key, POD_FAILURES.has(state.error.code));
      this.#reason = state.error.message;
    }
    const none = this.#available.size === 0 && this.#unavailable.size > 0;
    const blocked = none && [...this.#unavailable.values()].some((podOnly) => !podOnly);
    this.#noneSince = none ? this.#noneSince ?? now : null;
    this.#blockedSince = blocked ? this.#blockedSince ?? now : null;
  }

  /** When the last certificate became unavailable, in ms since the epoch; null: one is available, or none is needed. */
  get noneSince(): number | null {
    return this.#noneSince;
  }

  /** Returns null where a certificate is available or none is needed. `now`: ms since the epoch. */
  trouble(now: number): CertificateTrouble | null {
    if (this.#noneSince === null) return null;
    const since = new Date(this.#noneSince).toISOString();
    return {
      text: `no certificate of ${this.#unavailable.size} is available since ${since}: ${this.#reason}`,
      ready: this.#blockedSince === null || now < this.#blockedSince + GRACE_PERIOD,
    };
  }
}
