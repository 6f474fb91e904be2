/**
 * Defaults of `docs/spec/dataplane.md` 2.3, and budgets for what a peer may do. README.md of this room says why these.
 */
import type { AbuseLimits, Budget, H2Options } from "./seam.ts";
import { WORK_PER_PASS } from "./work.ts";

/** Budgets for what a peer may do. */
export const DEFAULT_LIMITS: AbuseLimits = Object.freeze({
  resets: { burst: 20_000, perSecond: 5000 },
  earlyResets: { burst: 400, perSecond: 500 },
  emptyData: { burst: 1000, perSecond: 100 },
  pings: { burst: 200, perSecond: 20 },
  settings: { burst: 100, perSecond: 10 },
  windowUpdates: { burst: 10_000, perSecond: 1000 },
  otherControl: { burst: 2000, perSecond: 200 },
  continuationsPerBlock: 16,
  headerBlockBytes: 65_536,
  queuedControlBytes: 65_536,
});

/** A peer whose identity has broken a limit lately gets this part of each burst: an eighth. */
const STRICT_PART = 8;

/** Budgets for a peer that reconnects after a breach: bursts are smaller, rates per second are the same. */
export const STRICT_LIMITS: AbuseLimits = Object.freeze({
  ...DEFAULT_LIMITS,
  resets: strict(DEFAULT_LIMITS.resets),
  earlyResets: strict(DEFAULT_LIMITS.earlyResets),
  emptyData: strict(DEFAULT_LIMITS.emptyData),
  pings: strict(DEFAULT_LIMITS.pings),
  settings: strict(DEFAULT_LIMITS.settings),
  windowUpdates: strict(DEFAULT_LIMITS.windowUpdates),
  otherControl: strict(DEFAULT_LIMITS.otherControl),
});

function strict({ burst, perSecond }: Budget): Budget {
  return { burst: Math.ceil(burst / STRICT_PART), perSecond };
}

/** The default options, frozen. `{ ...defaultOptions(role), streamWindow: 65_535 }` changes one of them. */
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
    // TCP retransmits at doubling intervals: after an outage of 20 s it sends again at most 20 s later.
    pingTimeout: 35_000,
    prefaceTimeout: 10_000,
    maxUnreleased: 64 << 20,
    workPerPass: WORK_PER_PASS,
    limits: DEFAULT_LIMITS,
    sharedResets: null,
  });
}
