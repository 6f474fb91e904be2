/** Time. Code that measures or waits is given a clock, so that tests run under virtual time. */
import { setImmediate } from "node:timers";

/** Milliseconds: a duration, or a point in time of some clock. */
export type Millis = number;

/** A callback that was scheduled with {@link Clock.after}. */
export interface Timer {
  /** The callback is not called any more. Idempotent, also once it has run. */
  cancel(): void;
}

/** A clock with timers. */
export interface Clock {
  /**
   * The time. A {@link WallClock} counts from 1970 and may be set; an event loop (`Scheduler`) counts from an arbitrary
   * moment and only goes forward.
   */
  now(): Millis;
  /** Calls `run` once, `delay` ms from now, unless the timer is cancelled. */
  after(delay: Millis, run: () => void): Timer;
}

/** A clock whose {@link Clock.now} counts ms since 1970 and jumps when somebody sets the clock of the machine. */
export interface WallClock extends Clock {
  /** The time since an arbitrary moment, whatever happens to {@link Clock.now}: for durations. */
  elapsed(): Millis;
}

/** The system's wall clock and the runtime's timers, for the main isolate. A worker has its event loop only. */
export const SYSTEM_CLOCK: WallClock = {
  now: Date.now,
  elapsed: () => performance.now(),
  after(delay, run) {
    const timer = setTimeout(run, delay);
    return { cancel: () => clearTimeout(timer) };
  },
};

/** For long work in the main isolate that must not delay everything else. */
export interface TurnClock {
  /** Monotonic. */
  now(): Millis;
  /** Resolves after everything else that waits in the runtime's event loop has run. */
  turn(): Promise<void>;
}

/** The runtime's own event loop. */
export const SYSTEM_TURNS: TurnClock = {
  now: () => performance.now(),
  turn: () => new Promise((resolve) => setImmediate(resolve)),
};
