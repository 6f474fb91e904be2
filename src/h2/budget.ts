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

/** All budgets of one connection. Each is made when it is first used, full: a connection uses few of them. */
export class Budgets {
  readonly #limits: AbuseLimits;
  readonly #now: Millis;
  #resets: TokenBucket | null = null;
  #earlyResets: TokenBudget | null;
  #emptyData: TokenBucket | null = null;
  #pings: TokenBucket | null = null;
  #settings: TokenBucket | null = null;
  #otherControl: TokenBucket | null = null;
  #windowUpdates: TokenBucket | null = null;
  #sentFrames = 0;
  #sentBytes = 0;

  constructor(limits: AbuseLimits, now: Millis, sharedResets: TokenBudget | null = null) {
    this.#limits = limits;
    this.#now = now;
    this.#earlyResets = sharedResets;
  }

  get resets(): TokenBucket {
    return this.#resets ??= new TokenBucket("resets", this.#limits.resets, this.#now);
  }

  get earlyResets(): TokenBudget {
    return this.#earlyResets ??= earlyResets(this.#limits, this.#now);
  }

  get emptyData(): TokenBucket {
    return this.#emptyData ??= new TokenBucket("empty DATA frames", this.#limits.emptyData, this.#now);
  }

  get pings(): TokenBucket {
    return this.#pings ??= new TokenBucket("PING frames", this.#limits.pings, this.#now);
  }

  get settings(): TokenBucket {
    return this.#settings ??= new TokenBucket("SETTINGS frames", this.#limits.settings, this.#now);
  }

  get otherControl(): TokenBucket {
    return this.#otherControl ??= new TokenBucket("other control frames", this.#limits.otherControl, this.#now);
  }

  get windowUpdates(): TokenBucket {
    return this.#windowUpdates ??= new TokenBucket("WINDOW_UPDATE frames", this.#limits.windowUpdates, this.#now);
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
