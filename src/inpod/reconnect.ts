/** Delays before the next connection to the agent, in ms (`docs/spec/inpod-dns.md` A1.10). */

const LONGEST = 15_000;
const ANNOUNCE_SPREAD = 0.2;
/** The longest delay after connections that ended before their snapshot was complete. */
const LONGEST_AFTER_BROKEN = 1000;

/** Returns the delay after `failures` consecutive failures to connect, from 1: 20, 40, 80 ... 15,000. */
export function connectDelay(failures: number): number {
  return Math.min(10 * 2 ** Math.min(failures, 20), LONGEST);
}

/**
 * Returns the delay after `failures` consecutive failures to send the hello, from 1: 5, 10, 20 ... 15,000, ±20 %.
 * `random`: in [0, 1).
 */
export function announceDelay(failures: number, random: number): number {
  const delay = Math.min(5 * 2 ** Math.min(failures - 1, 20), LONGEST);
  return delay * (1 - ANNOUNCE_SPREAD + 2 * ANNOUNCE_SPREAD * random);
}

/** Returns the delay after `broken` consecutive connections without a complete snapshot, from 1: 0, 20, 40 ... 1000. */
export function brokenDelay(broken: number): number {
  return broken <= 1 ? 0 : Math.min(10 * 2 ** Math.min(broken - 1, 20), LONGEST_AFTER_BROKEN);
}
