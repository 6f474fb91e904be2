/** The figures of `docs/spec/dataplane.md` 2.3, and what a peer may cost us. Why these: README.md beside this file. */
import type { AbuseLimits, H2Options } from "./seam.ts";
import { WORK_PER_PASS } from "./work.ts";

export const DEFAULT_LIMITS: AbuseLimits = Object.freeze({
  resets: { burst: 2000, perSecond: 500 },
  emptyData: { burst: 1000, perSecond: 100 },
  pings: { burst: 200, perSecond: 20 },
  settings: { burst: 100, perSecond: 10 },
  windowUpdates: { burst: 10_000, perSecond: 1000 },
  otherControl: { burst: 2000, perSecond: 200 },
  continuationsPerBlock: 16,
  headerBlockBytes: 65_536,
  queuedControlBytes: 65_536,
});

/** Frozen. `{ ...defaultOptions(role), streamWindow: 65_535 }` changes one. */
export function defaultOptions(role: "client" | "server"): H2Options {
  return Object.freeze({
    role,
    peer: "",
    streamWindow: 4 << 20,
    connectionWindow: 16 << 20,
    maxFrameSize: 1 << 20,
    maxHeaderListSize: role === "client" ? 16_384 : 65_536,
    maxConcurrentStreams: role === "client" ? null : 200,
    pingInterval: 10_000,
    pingTimeout: 20_000,
    prefaceTimeout: 10_000,
    maxUnreleased: 64 << 20,
    workPerPass: WORK_PER_PASS,
    limits: DEFAULT_LIMITS,
  });
}
