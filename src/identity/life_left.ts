/**
 * When operators hear that a certificate has not been renewed.
 *
 * At some shares of its life: half of it is when renewal begins, so from there on something is wrong. Where the life is
 * so short that a renewal on its way takes a good part of it, the shares tell nothing: unless an attempt has failed,
 * such a certificate is only told of when it has ended.
 */
import type { Validity } from "./renewal.ts";

/** In per cent of the whole life that is left. */
export const MARKS: readonly number[] = [50, 20, 5];

/** Milliseconds. Authorities that renew by themselves look at their certificates every five seconds and more. */
const SHORT_LIFE = 120_000;

/** `failed`: an attempt to renew it. */
export function isWorthTelling(validity: Validity, passed: number, failed: boolean, now: number): boolean {
  if (failed) return true;
  // At half of its life the renewal begins: that it has not come yet is no trouble.
  return lifeOf(validity) < SHORT_LIFE ? now >= validity.notAfter : passed > 1;
}

/** When it is time to look again, in ms since the epoch; Infinity after the last time. */
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
