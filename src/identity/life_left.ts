/**
 * Decides when to log that a certificate has not been renewed.
 *
 * This happens at certain shares of its lifetime. Renewal begins at half of it, so if it has not succeeded later,
 * something is wrong. Where the lifetime is so short that an ordinary renewal takes a good part of it, the shares mean
 * nothing: such a certificate is only reported after a failed attempt, or when it has expired.
 */
import type { Validity } from "./renewal.ts";

/** In per cent of the whole life that is left. */
export const MARKS: readonly number[] = [50, 20, 5];

/** Milliseconds. Authorities that renew by themselves check their certificates every five seconds or less often. */
const SHORT_LIFE = 120_000;

/** `failed`: an attempt to renew it has failed. */
export function isWorthTelling(validity: Validity, passed: number, failed: boolean, now: number): boolean {
  if (failed) return true;
  // Renewal begins at half of the lifetime: that it has not finished then is normal.
  return lifeOf(validity) < SHORT_LIFE ? now >= validity.notAfter : passed > 1;
}

/** Time of the next check, in ms since the epoch; Infinity after the last one. */
export function nextMark(validity: Validity, now: number): number {
  const times = MARKS.map((mark) => validity.notAfter - mark * lifeOf(validity) / 100);
  if (lifeOf(validity) < SHORT_LIFE) times.push(validity.notAfter);
  return times.find((time) => time > now) ?? Infinity;
}

/** How many of the marks have been passed at `now`; one that is due counts. */
export function marksPassed(validity: Validity, now: number): number {
  const left = 100 * (validity.notAfter - now);
  return MARKS.filter((mark) => left <= mark * lifeOf(validity)).length;
}

function lifeOf({ notBefore, notAfter }: Validity): number {
  return notAfter - notBefore;
}
