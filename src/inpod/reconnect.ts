/** How long to wait before the agent is called again (`docs/spec/inpod-dns.md` A1.10). Pure: ms in, ms out. */

const LONGEST = 15_000;
const ANNOUNCE_SPREAD = 0.2;
/** A connection that ends before its snapshot was complete is not made again without end and pause. */
const LONGEST_AFTER_BROKEN = 1000;

/** After the `failures`-th failure in a row to connect, from 1: 20, 40, 80 ... 15,000. */
export function connectDelay(failures: number): number {
  return Math.min(10 * 2 ** Math.min(failures, 20), LONGEST);
}

/** After the `failures`-th hello in a row that could not be sent: 5, 10, 20 ... 15,000, ±20 %. `random` is in [0, 1). */
export function announceDelay(failures: number, random: number): number {
  const delay = Math.min(5 * 2 ** Math.min(failures - 1, 20), LONGEST);
  return delay * (1 - ANNOUNCE_SPREAD + 2 * ANNOUNCE_SPREAD * random);
}

/** After the `broken`-th connection in a row without a whole snapshot: at once, then 20, 40 ... 1000. */
export function brokenDelay(broken: number): number {
  return broken <= 1 ? 0 : Math.min(10 * 2 ** Math.min(broken - 1, 20), LONGEST_AFTER_BROKEN);
}
