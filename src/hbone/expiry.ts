/**
 * The moment from which a connection must take no more requests, since one of its certificates has expired: what was
 * proven once is not proven for ever. Certificates are short-lived so that a stolen one is of use for hours only, and a
 * connection made with it must not outlive that. Streams that are open go on; an honest peer comes again.
 */
import type { Millis } from "../net/clock.ts";
import type { Scheduler } from "../net/network.ts";

/** Clocks are set, and machines sleep. */
const LOOK_AGAIN: Millis = 3_600_000;

/** Calls `run` once when `wallClock` has passed `notAfter`, both ms since the epoch. Call the result to forget it. */
export function afterExpiry(
  scheduler: Scheduler,
  wallClock: () => number,
  notAfter: number,
  run: () => void,
): () => void {
  const wait = () => {
    const left = notAfter + 1 - wallClock();
    return scheduler.after(Math.min(Math.max(0, left), LOOK_AGAIN), () => {
      if (wallClock() > notAfter) run();
      else timer = wait();
    });
  };
  let timer = wait();
  return () => timer.cancel();
}
