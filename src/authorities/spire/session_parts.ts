/** What all sessions of an authority share. */
import type { UpdateListener } from "../../identity/authority.ts";
import type { WriteLine } from "../../identity/manager_events.ts";
import type { WallClock } from "../../net/clock.ts";
import type { SharedTrust } from "./shared_trust.ts";
import type { Slots } from "./slots.ts";
import type { SvidSource } from "./source.ts";

/** What a session needs. */
export interface SessionParts {
  readonly source: SvidSource;
  readonly slots: Slots;
  readonly trust: SharedTrust;
  readonly clock: WallClock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** ms from the first request to the agent until the first certificate. */
  readonly timeout: number;
  /** Called with certificates and withdrawals that no pending request returns. */
  readonly update: UpdateListener;
  /** Called when a stream of this session works: its first message has arrived. */
  readonly onWorking: () => void;
  readonly log: WriteLine;
}
