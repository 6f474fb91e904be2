/** Waits for conditions by polling, and for promises, with a time limit. */

import { afterRunning } from "./running_time.ts";

/** The limit only keeps a broken test from hanging; no test asserts on time. */
const LIMIT_MS = 30_000;
const INTERVAL_MS = 5;

/**
 * Calls `check` until it returns a value other than null, false or undefined, and returns that. Throws an error with
 * `what` and the text of `details` after the limit. `limitMs`: for programs that take long to start.
 */
export async function eventually<T>(
  what: string,
  check: () => T | null | undefined | false | Promise<T | null | undefined | false>,
  details: () => string = () => "",
  limitMs: number = LIMIT_MS,
): Promise<T> {
  let isLate = false;
  const cancel = afterRunning(limitMs, () => isLate = true);
  try {
    for (;;) {
      const value = await check();
      if (value !== null && value !== undefined && value !== false) return value;
      if (isLate) throw new Error(`${what} did not happen ${details()}`);
      await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
    }
  } finally {
    cancel();
  }
}

/** Returns the result of `awaited`; throws after the limit. */
export async function inTime<T>(what: string, awaited: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const cancel = afterRunning(LIMIT_MS, () => late.reject(new Error(`${what} did not happen`)));
  try {
    return await Promise.race([awaited, late.promise]);
  } finally {
    cancel();
  }
}
