/**
 * Shares of a certificate's life at which operators hear that it has not been renewed: half of it is when renewal
 * begins, so from there on something is wrong.
 */
import type { Validity } from "./renewal.ts";

/** In per cent of the whole life that is left. */
export const MARKS: readonly number[] = [50, 20, 5];

/** When the next mark is due, in ms since the epoch; Infinity after the last one. */
export function nextMark({ notBefore, notAfter }: Validity, now: number): number {
  const times = MARKS.map((mark) => notAfter - mark * (notAfter - notBefore) / 100);
  return times.find((time) => time > now) ?? Infinity;
}

/** How many of the marks have been passed at `now`; one that is due counts. */
export function marksPassed({ notBefore, notAfter }: Validity, now: number): number {
  const left = 100 * (notAfter - now);
  return MARKS.filter((mark) => left <= mark * (notAfter - notBefore)).length;
}
