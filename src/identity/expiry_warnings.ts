/**
 * Decides when to log that a certificate has not been renewed.
 *
 * The log has a line when 50, 20 and 5 per cent of the lifetime remain. Renewal begins at half of the lifetime, so a
 * certificate that has not been renewed some time later is a sign of trouble. Where the lifetime is so short that an
 * ordinary renewal takes a good part of it, a line is written only after a failed attempt or after the expiry.
 */
import type { Validity } from "./renewal.ts";

/** Remaining lifetime in per cent, in descending order. */
export const THRESHOLDS: readonly number[] = [50, 20, 5];

/** ms. Authorities that renew by themselves check their certificates at intervals of five seconds or more. */
const SHORT_LIFETIME = 120_000;

/**
 * Returns whether to log that the certificate has passed a threshold. `passed`: as {@link thresholdsPassed} returns it.
 * `failed`: an attempt to renew it has failed. `now`: ms since the epoch.
 */
export function shouldWarn(validity: Validity, passed: number, failed: boolean, now: number): boolean {
  if (failed) return true;
  // Renewal begins at the first threshold, so it is normal that it has not finished then.
  return lifetimeOf(validity) < SHORT_LIFETIME ? now >= validity.notAfter : passed > 1;
}

/** Returns the time of the next check, in ms since the epoch; Infinity after the last one. */
export function nextThreshold(validity: Validity, now: number): number {
  const times = THRESHOLDS.map((threshold) => validity.notAfter - threshold * lifetimeOf(validity) / 100);
  if (lifetimeOf(validity) < SHORT_LIFETIME) times.push(validity.notAfter);
  return times.find((time) => time > now) ?? Infinity;
}

/** Returns how many of the {@link THRESHOLDS} have been reached at `now`, in ms since the epoch. */
export function thresholdsPassed(validity: Validity, now: number): number {
  const left = 100 * (validity.notAfter - now);
  return THRESHOLDS.filter((threshold) => left <= threshold * lifetimeOf(validity)).length;
}

function lifetimeOf({ notBefore, notAfter }: Validity): number {
  return notAfter - notBefore;
}
