/** Computes when a certificate is renewed (`docs/spec/identity-spire.md` 2.3). All times in ms since the epoch. */

/** The validity of a certificate. */
export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Returns whether the certificate must no longer be used; true from `notAfter` on. */
export function isExpired(validity: Validity, now: number): boolean {
  return now >= validity.notAfter;
}

/** Returns the middle of the validity; `notAfter` where it is before `notBefore`. */
export function refreshAt({ notBefore, notAfter }: Validity): number {
  return notAfter < notBefore ? notAfter : notBefore + (notAfter - notBefore) / 2;
}

/**
 * Returns when to renew a certificate that was received at `now`. One that is received past its half-life (from SPIRE's
 * cache, or back-dated by more than its remaining lifetime, observed.md O10) is renewed after 1 % of its lifetime, 1 to
 * 30 s, but not after its end.
 */
export function nextRenewal(validity: Validity, now: number): number {
  const half = refreshAt(validity);
  if (half > now) return half;
  const pause = Math.min(Math.max((validity.notAfter - validity.notBefore) / 100, 1000), 30_000);
  return Math.min(now + pause, validity.notAfter);
}
