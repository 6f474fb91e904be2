/**
 * Lets the receive window of one stream grow with bandwidth x delay: a window of one round trip's bytes is used up when
 * the first credit for it reaches the peer.
 */
import type { Millis } from "../net/clock.ts";
import type { ReceiveWindow } from "./flow.ts";
import type { WindowBudget } from "./window_budget.ts";

/** Windows grow to this multiple of their initial size at most. */
const MOST_GROWTH = 4;

/** Measures the rate of one stream and enlarges its receive window. */
export class WindowGrowth {
  readonly #window: ReceiveWindow;
  readonly #budget: WindowBudget;
  /** Bytes delivered to the application since {@link since}. */
  #released = 0;
  #since: Millis;
  #grown = 0;

  constructor(window: ReceiveWindow, budget: WindowBudget, now: Millis) {
    this.#window = window;
    this.#budget = budget;
    this.#since = now;
  }

  /**
   * Called when `length` bytes were delivered to the application. Doubles the window when half of it would not last
   * for a round trip at the measured rate, and returns the growth, else 0.
   */
  released(length: number, now: Millis, roundTrip: Millis): number {
    this.#released += length;
    const { size } = this.#window;
    if (this.#released < size) return 0;
    const perRoundTrip = this.#released / Math.max(1, now - this.#since) * roundTrip;
    this.#released = 0;
    this.#since = now;
    const isLargest = this.#grown > 0 && size >= MOST_GROWTH * (size - this.#grown);
    if (perRoundTrip * 2 <= size || isLargest || !this.#budget.take(size)) return 0;
    this.#grown += size;
    this.#window.grow(size);
    return size;
  }

  /** The stream has ended. Idempotent. */
  end(): void {
    this.#budget.giveBack(this.#grown);
    this.#grown = 0;
  }
}
