/**
 * How much of a worker's loop a large batch of workloads and services may take: short slices with long pauses at first,
 * longer slices the longer the batch has been paused for traffic. So a batch of a thousand resources is hardly noticed,
 * and one of 100,000 is complete in three seconds on a loop that is never idle. It has no clock: times are parameters.
 */
import type { Millis } from "../net/clock.ts";

/** The first slices, and those of a loop that has nothing else to do. */
export const FIRST_SLICE: Millis = 0.5;
/** The longest slice: what a batch may add to the time for which a request waits. */
const LONGEST_SLICE: Millis = 4;
/** ms of pauses for which slices grow by one ms: the longest ones are reached after four seconds. */
const PAUSED_FOR_MILLI: Millis = 1000;
/** Between two slices in a busy loop: traffic keeps 31 of 32 parts of the loop's time at first, four fifths in the end. */
const PAUSE: Millis = 15.5;
/**
 * So many arrivals between two slices, two for each millisecond of a pause, make the loop busy for {@link BUSY_TIME}:
 * requests that follow each other leave gaps, and work in those gaps delays the next requests. After fewer arrivals
 * there is one pause.
 */
const BUSY_ARRIVALS = 2 * PAUSE;
const BUSY_TIME: Millis = 2 * PAUSE;

/** The pace of one batch after the other. */
export class UpdatePace {
  /** The counter of arrivals after the last slice. */
  #arrivals = 0;
  #busyUntil: Millis = 0;
  /** Whether the last slice was followed by a pause. */
  #hasPaused = false;
  /** How long this batch has been paused in all. */
  #paused: Millis = 0;

  /** A batch begins. `arrivals`: a counter of connections and bytes that arrived at the loop. */
  begin(arrivals: number): void {
    this.#arrivals = arrivals;
    this.#paused = 0;
  }

  /** How long the next slice may take. */
  get slice(): Millis {
    return Math.min(LONGEST_SLICE, FIRST_SLICE + this.#paused / PAUSED_FOR_MILLI);
  }

  /** The pause after a slice that ended at `at`; 0: none. Arrivals during a pause were served, a few cause no further one. */
  pauseAfter(at: Millis, arrivals: number): Millis {
    const arrived = arrivals - this.#arrivals;
    this.#arrivals = arrivals;
    if (arrived >= BUSY_ARRIVALS) this.#busyUntil = at + BUSY_TIME;
    this.#hasPaused = at < this.#busyUntil || (arrived > 0 && !this.#hasPaused);
    if (!this.#hasPaused) return 0;
    this.#paused += PAUSE;
    return PAUSE;
  }
}
