/** Waiting for what a program does, where it tells nobody: asked again and again, for a bounded time. */

/** No test asserts on time; this only keeps a broken one from hanging. */
const PATIENCE_MS = 30_000;
const PAUSE_MS = 5;

/** The first answer of `ask` that is not null, false or undefined. Throws with `what` and the last answers. */
export async function eventually<T>(
  what: string,
  ask: () => T | null | undefined | false | Promise<T | null | undefined | false>,
  said: () => string = () => "",
): Promise<T> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== null && answer !== undefined && answer !== false) return answer;
    if (performance.now() > end) throw new Error(`${what} did not happen ${said()}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** What `awaited` resolves with; fails when it takes too long. */
export async function inTime<T>(what: string, awaited: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`${what} did not happen`)), PATIENCE_MS);
  try {
    return await Promise.race([awaited, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
