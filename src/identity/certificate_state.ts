/**
 * What the manager knows about one key (`docs/spec/identity-spire.md` 2.2).
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
 * From every state, forgetting leads back to (absent).
 */
import type { CertificateError, IssuedCertificate } from "./authority.ts";
import { isExpired } from "./renewal.ts";

export type CertificateState =
  /** The first fetch has not finished. */
  | { readonly at: "initializing" }
  /** The last certificate; expired only while a fetch that will tell is due or running. */
  | { readonly at: "available"; readonly certificate: IssuedCertificate }
  /** The last fetch failed and nothing valid is held. */
  | { readonly at: "unavailable"; readonly error: CertificateError };

export type FetchOutcome =
  | { readonly ok: true; readonly certificate: IssuedCertificate }
  | { readonly ok: false; readonly error: CertificateError };

export const INITIALIZING: CertificateState = { at: "initializing" };

/** The state after a fetch. `now`: ms since the epoch. */
export function afterFetch(state: CertificateState, outcome: FetchOutcome, now: number): CertificateState {
  if (outcome.ok) return sameOr(state, outcome.certificate);
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

/** An authority that pushes answers a renewal with what it gave before: no news for anybody. */
function sameOr(state: CertificateState, certificate: IssuedCertificate): CertificateState {
  return state.at === "available" && state.certificate === certificate ? state : { at: "available", certificate };
}

/** What a reader gets at once, or null where it has to wait for a fetch. Never an expired certificate. */
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
