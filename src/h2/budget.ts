/** Token buckets: how much a peer may do at once, and how much per second. */
import type { Millis } from "../net/clock.ts";
import type { AbuseLimits, Budget, TokenBudget } from "./seam.ts";

/** Limits how often a peer may do one thing. */
export class TokenBucket implements TokenBudget {
  readonly #name: string;
  readonly #budget: Budget;
  #tokens: number;
  #filledAt: Millis;

  /** `name`: a plural for the log, e.g. `resets`. */
  constructor(name: string, budget: Budget, now: Millis) {
    this.#name = name;
    this.#budget = budget;
    this.#tokens = budget.burst;
    this.#filledAt = now;
  }

  /** Takes `cost` tokens. False: fewer are left. */
  take(cost: number, now: Millis): boolean {
    if (now > this.#filledAt) {
      this.refill((now - this.#filledAt) * this.#budget.perSecond / 1000);
      this.#filledAt = now;
    }
    if (this.#tokens < cost) return false;
    this.#tokens -= cost;
    return true;
  }

  /** Whether nothing has been paid lately. */
  isFull(now: Millis): boolean {
    return this.#tokens + (now - this.#filledAt) * this.#budget.perSecond / 1000 >= this.#budget.burst;
  }

  /** Adds to the budget, up to its burst. */
  refill(tokens: number): void {
    this.#tokens = Math.min(this.#budget.burst, this.#tokens + tokens);
  }

  /** Describes a breach of this budget, for GOAWAY and the log. */
  get breach(): string {
    return `${this.#name} above ${this.#budget.burst} at once or ${this.#budget.perSecond} per second`;
  }
}

/** WINDOW_UPDATE frames that we allow for each DATA frame sent: one for the stream, one for the connection. */
const UPDATES_PER_FRAME = 2;
/** One more is allowed for each so many bytes sent: peers that read in small steps announce credit in small steps. */
const BYTES_PER_UPDATE = 1024;

/** All budgets of one connection. */
export class Budgets {
  readonly resets: TokenBucket;
  readonly earlyResets: TokenBudget;
  readonly emptyData: TokenBucket;
  readonly pings: TokenBucket;
  readonly settings: TokenBucket;
  readonly otherControl: TokenBucket;
  readonly windowUpdates: TokenBucket;
  #sentFrames = 0;
  #sentBytes = 0;

  constructor(limits: AbuseLimits, now: Millis, sharedResets: TokenBudget | null = null) {
    this.resets = new TokenBucket("resets", limits.resets, now);
    this.earlyResets = sharedResets ?? earlyResets(limits, now);
    this.emptyData = new TokenBucket("empty DATA frames", limits.emptyData, now);
    this.pings = new TokenBucket("PING frames", limits.pings, now);
    this.settings = new TokenBucket("SETTINGS frames", limits.settings, now);
    this.otherControl = new TokenBucket("other control frames", limits.otherControl, now);
    this.windowUpdates = new TokenBucket("WINDOW_UPDATE frames", limits.windowUpdates, now);
  }

  /** DATA was sent: its receiver will send window updates. */
  dataSent(frames: number, bytes: number): void {
    this.#sentFrames += frames;
    this.#sentBytes += bytes;
  }

  /** One WINDOW_UPDATE. False: the budget is used up. */
  takeWindowUpdate(now: Millis): boolean {
    this.windowUpdates.refill(this.#sentFrames * UPDATES_PER_FRAME + this.#sentBytes / BYTES_PER_UPDATE);
    this.#sentFrames = this.#sentBytes = 0;
    return this.windowUpdates.take(1, now);
  }
}

/** The budget of resets without an answer. */
export function earlyResets({ earlyResets }: AbuseLimits, now: Millis): TokenBudget {
  return new TokenBucket("resets without an answer", earlyResets, now);
}
