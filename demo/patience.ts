/** Nothing in the demo waits for ever. */

/** Without news for so long, there will be none. */
const LIMIT_MS = 30_000;

/** The result of `work`, unless it takes too long since it began or since it last called `alive`. */
export async function patiently<T>(what: string, work: (alive: () => void) => Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const start = () =>
    setTimeout(() => late.reject(new Error(`${what}: nothing happened for ${LIMIT_MS / 1000} s`)), LIMIT_MS);
  let timer = start();
  const alive = () => {
    clearTimeout(timer);
    timer = start();
  };
  try {
    return await Promise.race([work(alive), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
