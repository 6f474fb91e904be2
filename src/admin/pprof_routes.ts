/**
 * `/debug/pprof/*` (`docs/spec/config-admin.md` 4.2). The profile is of wall time, for all isolates together. A waiting
 * thread is in `wait`, or has no samples once the engine has compiled `wait`. There is no heap profile, which is answered
 * like a native proxy that is built without jemalloc.
 */
import type { HttpHandler } from "./http_connection.ts";
import type { ThreadProfile } from "./pprof.ts";
import { plainText } from "./response.ts";
import type { Routes } from "./routes.ts";

/** Samples every thread for `millis`, one sample each `interval` microseconds. */
export type Profile = (interval: number, millis: number) => Promise<readonly ThreadProfile[]>;

const SECONDS = { fallback: 10, max: 300 };
const FREQUENCY = { fallback: 100, max: 1000 };

/** The handlers of the routes. `now`: ms since 1970. */
export function pprofRoutes(profile: Profile, now: () => number): Routes {
  const heap: HttpHandler = () => ({ status: 500, headers: [], body: "jemalloc not enabled" });
  return {
    "/debug/pprof/profile": profileRoute(profile, now),
    "/debug/pprof/heap": heap,
    "/debug/pprof/heap/profiling": heap,
  };
}

function profileRoute(profile: Profile, now: () => number): HttpHandler {
  let running = false;
  return async ({ query }) => {
    const parameters = new URLSearchParams(query);
    const seconds = wholeNumber(parameters.getAll("seconds").at(-1), SECONDS);
    const frequency = wholeNumber(parameters.getAll("frequency").at(-1), FREQUENCY);
    if (seconds === null) return plainText(400, "invalid seconds value; expected 1-300\n");
    if (frequency === null) return plainText(400, "invalid frequency value; expected 1-1000\n");
    if (running) return plainText(503, "a profile is being taken already, try again when it has ended\n");
    running = true;
    try {
      const start = now();
      const interval = Math.round(1e6 / frequency);
      const threads = await profile(interval, seconds * 1000);
      const times = { period: interval * 1000, start, duration: seconds * 1000 };
      // Loaded for the first profile: most proxies never make one.
      const { encodePprof } = await import("./pprof.ts");
      return { status: 200, headers: [], body: encodePprof(threads, times) };
    } finally {
      running = false;
    }
  };
}

/** The number; null where it is not from 1 to the maximum. */
function wholeNumber(text: string | undefined, { fallback, max }: { fallback: number; max: number }): number | null {
  if (text === undefined) return fallback;
  const value = /^[0-9]{1,4}$/.test(text) ? Number(text) : 0;
  return value >= 1 && value <= max ? value : null;
}
