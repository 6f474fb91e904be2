/** Limits the time of each step of the demo. */

/** Time without progress after which a step fails, ms. */
const LIMIT_MS = 30_000;

/** The result of `work`. Rejects when it takes too long without calling `onProgress`. `what`: for the message. */
export async function withTimeLimit<T>(what: string, work: (onProgress: () => void) => Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const start = () =>
    setTimeout(() => late.reject(new Error(`${what}: nothing happened for ${LIMIT_MS / 1000} s`)), LIMIT_MS);
  let timer = start();
  const onProgress = () => {
    clearTimeout(timer);
    timer = start();
  };
  try {
    return await Promise.race([work(onProgress), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
