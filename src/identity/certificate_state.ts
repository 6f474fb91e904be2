/**
 * The state of one certificate in the manager (`docs/spec/identity-spire.md` 2.2).
 *
 *               request                ok                ok, or failed and
 *   (absent) ────────────▶ initializing ────▶ available ──╮ not yet expired
 *                               │                │  ▲  ▲──╯
 *                         failed│ failed, expired│  │ ok
 *                               ▼                ▼  │
 *                          unavailable ◀────────────╯
 *                            │      ▲
 *                            ╰──────╯ failed
 *
 * `CertificateManager.remove` leads from every state back to (absent).
 */
import type { CertificateError, IssuedCertificate } from "./authority.ts";
import { isExpired } from "./renewal.ts";

/** The state of one certificate. */
export type CertificateState =
  /** The first fetch has not finished. */
  | { readonly at: "initializing" }
  /** The last certificate that was fetched. It may have expired while its renewal is due or pending. */
  | { readonly at: "available"; readonly certificate: IssuedCertificate }
  /** The last fetch failed and there is no valid certificate. */
  | { readonly at: "unavailable"; readonly error: CertificateError };

/** The result of a fetch. */
export type FetchOutcome =
  | { readonly ok: true; readonly certificate: IssuedCertificate }
  | { readonly ok: false; readonly error: CertificateError };

/** The state before the first fetch has finished. */
export const INITIALIZING: CertificateState = { at: "initializing" };

/** Returns the state after a fetch. `now`: ms since the epoch. */
export function afterFetch(state: CertificateState, outcome: FetchOutcome, now: number): CertificateState {
  if (outcome.ok) return availableState(state, outcome.certificate);
  switch (state.at) {
    case "available":
      return isExpired(state.certificate, now) ? { at: "unavailable", error: outcome.error } : state;
    case "initializing":
    case "unavailable":
      return { at: "unavailable", error: outcome.error };
    default:
      return state satisfies never;
  }
}

/** An authority that pushes updates returns the same object for a renewal: then the state does not change. */
function availableState(state: CertificateState, certificate: IssuedCertificate): CertificateState {
  return state.at === "available" && state.certificate === certificate ? state : { at: "available", certificate };
}

/** Returns what a caller gets at once, never an expired certificate; null where it has to wait for a fetch. */
export function readState(state: CertificateState, now: number): FetchOutcome | null {
  switch (state.at) {
    case "initializing":
      return null;
    case "available":
      return isExpired(state.certificate, now) ? null : { ok: true, certificate: state.certificate };
    case "unavailable":
      return { ok: false, error: state.error };
    default:
      return state satisfies never;
  }
}
