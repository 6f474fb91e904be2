/** Waiting for what a program does, where it tells nobody: asked again and again, for a bounded time. */

import { afterRunning } from "./running_time.ts";

/** No test asserts on time; this only keeps a broken one from hanging. */
const PATIENCE_MS = 30_000;
const PAUSE_MS = 5;

/** The first answer of `ask` that is not null, false or undefined. Throws with `what` and the last answers. */
export async function eventually<T>(
  what: string,
  ask: () => T | null | undefined | false | Promise<T | null | undefined | false>,
  said: () => string = () => "",
): Promise<T> {
  let over = false;
  const cancel = afterRunning(PATIENCE_MS, () => over = true);
  try {
    for (;;) {
      const answer = await ask();
      if (answer !== null && answer !== undefined && answer !== false) return answer;
      if (over) throw new Error(`${what} did not happen ${said()}`);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  } finally {
    cancel();
  }
}

/** What `awaited` resolves with; fails when it takes too long. */
export async function inTime<T>(what: string, awaited: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const cancel = afterRunning(PATIENCE_MS, () => late.reject(new Error(`${what} did not happen`)));
  try {
    return await Promise.race([awaited, late.promise]);
  } finally {
    cancel();
  }
}
