/** When a certificate is fetched again (`docs/spec/identity-spire.md` 2.3). All times in ms since the epoch. */

export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** From its last moment on a certificate is no longer given to anybody. */
export function isExpired(validity: Validity, now: number): boolean {
  return now >= validity.notAfter;
}

/** The middle of its validity; the end where begin and end are swapped. */
export function refreshAt({ notBefore, notAfter }: Validity): number {
  return notAfter < notBefore ? notAfter : notBefore + (notAfter - notBefore) / 2;
}

/**
 * When to renew a certificate that arrived at `now`. One that arrives past its half-life (from SPIRE's cache, or
 * back-dated by more than it lives, observed.md O10) is asked for again after 1 % of its lifetime, 1 to 30 s, but not
 * after its end.
 */
export function nextRenewal(validity: Validity, now: number): number {
  const half = refreshAt(validity);
  if (half > now) return half;
  const pause = Math.min(Math.max((validity.notAfter - validity.notBefore) / 100, 1000), 30_000);
  return Math.min(now + pause, validity.notAfter);
}
