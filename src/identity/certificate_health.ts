/**
 * Tracks whether this node has any certificate at all, and since when it has none: for readiness and as a metric. Pods
 * that have none for a reason of their own (no registration entry, no process) do not make the node unready.
 */
import type { CertificateErrorCode } from "./authority.ts";
import type { CertificateState } from "./certificate_state.ts";

/** ms for which a node without any certificate stays ready: many changes cause short moments without one. */
const BEARABLE = 5 * 60_000;

const OWN_REASONS: ReadonlySet<CertificateErrorCode> = new Set([
  "NO_ENTRY",
  "SAN_MISMATCH",
  "NO_PROCESS",
  "UNKNOWN_WORKLOAD",
  "INVALID_IDENTITY",
]);

export interface CertificateTrouble {
  /** `no certificate of 12 is available since 2026-01-01T00:00:00.000Z: <the last reason>` */
  readonly text: string;
  /** Whether the proxy stays ready: the time limit has not passed, or the reasons are the pods' own. */
  readonly ready: boolean;
}

export class CertificateHealth {
  readonly #available = new Set<string>();
  /** By key; true: the reason is the pod's own. */
  readonly #unavailable = new Map<string, boolean>();
  #reason = "";
  /** ms since the epoch; null: there is a certificate, or none is needed. */
  #noneSince: number | null = null;
  /** The same, counting only reasons that are not the pods' own. */
  #blockedSince: number | null = null;

  /** `state`: of the subject with this key; null: the subject was removed. `now`: ms since the epoch. */
  changed(key: string, state: CertificateState | null, now: number): void {
    this.#available.delete(key);
    this.#unavailable.delete(key);
    if (state?.at === "available") this.#available.add(key);
    if (state?.at === "unavailable") {
      this.#unavailable.set(key, OWN_REASONS.has(state.error.code));
      this.#reason = state.error.message;
    }
    const none = this.#available.size === 0 && this.#unavailable.size > 0;
    const blocked = none && [...this.#unavailable.values()].some((own) => !own);
    this.#noneSince = none ? this.#noneSince ?? now : null;
    this.#blockedSince = blocked ? this.#blockedSince ?? now : null;
  }

  /** ms since the epoch at which the last certificate became unavailable; null: there is one, or none is needed. */
  get noneSince(): number | null {
    return this.#noneSince;
  }

  /** Null: no trouble. `now`: ms since the epoch. */
  trouble(now: number): CertificateTrouble | null {
    if (this.#noneSince === null) return null;
    const since = new Date(this.#noneSince).toISOString();
    return {
      text: `no certificate of ${this.#unavailable.size} is available since ${since}: ${this.#reason}`,
      ready: this.#blockedSince === null || now < this.#blockedSince + BEARABLE,
    };
  }
}
