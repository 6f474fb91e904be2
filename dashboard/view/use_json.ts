/** Asks a route again and again while the page is seen. */
import { useEffect, useState } from "preact/hooks";

/** The last answer, and why there is no newer one. */
interface Polled<T> {
  readonly data: T | null;
  /** Null: the last request was answered. */
  readonly problem: string | null;
}

/** ms in which a route has to answer. */
const TIMEOUT = 15_000;

/** The answer of a route. Throws an error whose message is the text of the answer. */
export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  const limit = AbortSignal.timeout(TIMEOUT);
  const response = await fetch(path, { signal: signal === undefined ? limit : AbortSignal.any([signal, limit]) });
  if (!response.ok) throw new Error((await response.text()).trim() || `status ${response.status}`);
  return await response.json() as T;
}

/** The answer of `path`, requested `every` ms; null: not at all. */
export function useJson<T>(path: string | null, every: number): Polled<T> {
  const [polled, setPolled] = useState<Polled<T>>({ data: null, problem: null });
  useEffect(() => {
    if (path === null) return;
    const abort = new AbortController();
    let timer = 0;
    const ask = async () => {
      clearTimeout(timer);
      try {
        const data = await getJson<T>(path, abort.signal);
        if (!abort.signal.aborted) setPolled({ data, problem: null });
      } catch (error) {
        const problem = error instanceof Error ? error.message : String(error);
        if (!abort.signal.aborted) setPolled((last) => ({ ...last, problem }));
      }
      if (!abort.signal.aborted) timer = setTimeout(() => document.hidden || void ask(), every);
    };
    const shown = () => document.hidden || void ask();
    document.addEventListener("visibilitychange", shown);
    void ask();
    return () => {
      abort.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", shown);
    };
  }, [path, every]);
  return polled;
}
