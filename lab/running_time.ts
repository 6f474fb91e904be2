/** Time limits of tests that count only the time in which the test process was running. */

const STEP_MS = 100;

/**
 * Calls `end` when this process has run for `ms`. Time in which it was stopped or had no CPU is not counted, as the
 * program that it waits for did not run either. The returned function cancels the call.
 */
export function afterRunning(ms: number, end: () => void): () => void {
  let left = Math.ceil(ms / STEP_MS);
  // However late a step runs, it counts as one.
  const timer = setInterval(() => {
    if (--left > 0) return;
    clearInterval(timer);
    end();
  }, STEP_MS);
  return () => clearInterval(timer);
}
