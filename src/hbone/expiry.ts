/**
 * Stops new requests on a connection when one of its certificates has expired. Certificates are short-lived so that a
 * stolen one can be used for hours only; without this, a connection made with it could be used for longer. Open streams
 * go on, and a peer with a valid certificate connects again.
 */
import type { Millis } from "../net/clock.ts";
import type { Scheduler } from "../net/network.ts";

/** The wall clock is checked at least this often: it may be set, and the machine may be suspended. */
const CHECK_INTERVAL: Millis = 3_600_000;

/**
 * Calls `run` once when `wallClock` has passed `notAfter`, both in ms since the epoch. Call the result to cancel that.
 */
export function afterExpiry(
  scheduler: Scheduler,
  wallClock: () => number,
  notAfter: number,
  run: () => void,
): () => void {
  const wait = () => {
    const left = notAfter + 1 - wallClock();
    return scheduler.after(Math.min(Math.max(0, left), CHECK_INTERVAL), () => {
      if (wallClock() > notAfter) run();
      else timer = wait();
    });
  };
  let timer = wait();
  return () => timer.cancel();
}
