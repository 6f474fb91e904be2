/**
 * `/debug/pprof/*` (`docs/spec/config-admin.md` 4.2): profiles of all isolates together. The one of running code is of
 * wall time. A waiting thread is in `wait`, or has no samples once the engine has compiled `wait`.
 *
 * The one of memory shows what was allocated while it was taken and is still in use, with `all` also what was freed
 * meanwhile. It covers the heap of the engine only. The native proxy's is of its whole native heap since a switch was
 * set; such a switch there is not, as an allocator without profiles has none either.
 */
import type { ProfileKind } from "../telemetry/profiler.ts";
import type { ThreadProfile } from "./pprof.ts";
import { plainText } from "./response.ts";
import type { Routes } from "./routes.ts";

/**
 * Samples every isolate for `millis`, `cpu` once in `interval` microseconds, memory once in so many bytes. One profile
 * at a time.
 */
export type TakeProfile = (
  what: ProfileKind,
  interval: number,
  millis: number,
) => Promise<readonly ThreadProfile[]>;

const SECONDS = { fallback: 10, max: 300 };
const FREQUENCY = { fallback: 100, max: 1000 };
/** Bytes between two samples of memory. */
const MEMORY_INTERVAL = 32 * 1024;

/** The handlers of the routes. `now`: ms since 1970. */
export function pprofRoutes(take: TakeProfile, now: () => number): Routes {
  const profiles = new Profiles(take, now);
  return {
    "/debug/pprof/profile": ({ query }) => {
      const parameters = new URLSearchParams(query);
      const frequency = wholeNumber(parameters.getAll("frequency").at(-1), FREQUENCY);
      if (frequency === null) return plainText(400, "invalid frequency value; expected 1-1000\n");
      const interval = Math.round(1e6 / frequency);
      return profiles.take(parameters, "cpu", interval, interval * 1000);
    },
    "/debug/pprof/heap": ({ query }) => {
      const parameters = new URLSearchParams(query);
      const what = parameters.has("all") ? "all-memory" : "live-memory";
      return profiles.take(parameters, what, MEMORY_INTERVAL, MEMORY_INTERVAL);
    },
    "/debug/pprof/heap/profiling": () => ({ status: 500, headers: [], body: "jemalloc not enabled" }),
  };
}

/** Answers with profiles, one at a time: an isolate takes one at a time. */
class Profiles {
  readonly #take: TakeProfile;
  readonly #now: () => number;
  #isRunning = false;

  constructor(take: TakeProfile, now: () => number) {
    this.#take = take;
    this.#now = now;
  }

  /** `interval`: as for {@link TakeProfile}; `period`: the same in the unit of the profile. */
  async take(parameters: URLSearchParams, what: ProfileKind, interval: number, period: number) {
    const seconds = wholeNumber(parameters.getAll("seconds").at(-1), SECONDS);
    if (seconds === null) return plainText(400, "invalid seconds value; expected 1-300\n");
    if (this.#isRunning) return plainText(503, "a profile is being taken already, try again when it has ended\n");
    this.#isRunning = true;
    try {
      const start = this.#now();
      const threads = await this.#take(what, interval, seconds * 1000);
      // Loaded for the first profile: most proxies never make one.
      const { encodePprof } = await import("./pprof.ts");
      const body = encodePprof(threads, { what, period, start, duration: seconds * 1000 });
      return { status: 200, headers: [], body } as const;
    } finally {
      this.#isRunning = false;
    }
  }
}

/** The number; null where it is not from 1 to the maximum. */
function wholeNumber(text: string | undefined, { fallback, max }: { fallback: number; max: number }): number | null {
  if (text === undefined) return fallback;
  const value = /^[0-9]{1,4}$/.test(text) ? Number(text) : 0;
  return value >= 1 && value <= max ? value : null;
}
