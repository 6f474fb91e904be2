/** Time limits of tests, in time during which the test process was running. */

const STEP_MS = 100;

/**
 * Calls `end` when this process has been running for `ms`. Time in which it stood still does not count, since it was
 * stopped, or the machine had no CPU for it: the program that it waits for will have stood still as well. What is given
 * back cancels the call.
 */
export function afterRunning(ms: number, end: () => void): () => void {
  let left = Math.ceil(ms / STEP_MS);
  // However late a step comes, it counts as one.
  const timer = setInterval(() => {
    if (--left > 0) return;
    clearInterval(timer);
    end();
  }, STEP_MS);
  return () => clearInterval(timer);
}
