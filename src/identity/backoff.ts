/** How long to wait after failed fetches of one key (`docs/spec/identity-spire.md` 2.4). */

const FIRST = 1000;
const LONGEST = 150_000;
const SPREAD = 0.2;

/**
 * Delay in ms after the `failures`-th failure in a row (from 1): 1, 2, 4, ... 128, 150, 150 s, each ±20 %.
 * `random` is uniform in [0, 1); 0.5 gives the nominal value.
 */
export function backoffDelay(failures: number, random: number): number {
  // The exponent is bounded, so that the interval of a key that fails for months does not become Infinity.
  const interval = Math.min(FIRST * 2 ** Math.min(failures - 1, 20), LONGEST);
  return interval * (1 - SPREAD + 2 * SPREAD * random);
}
