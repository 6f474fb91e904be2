/** Wall-clock time for log lines. */
import { SYSTEM_CLOCK, type WallClock } from "../net/clock.ts";

/** Microseconds since 1970, UTC. */
export type Micros = number;

/** Formats a time, such as `2026-08-20T12:00:00.123456Z`. */
type TimestampFormat = (at: Micros) => string;

/**
 * A formatter that caches the date of the last second: formatting a date takes a microsecond, and lines share seconds.
 * `digits`: those of the fraction of a second.
 */
export function timestamps(digits: 3 | 6 = 6): TimestampFormat {
  const unit = 10 ** (6 - digits);
  let second = NaN;
  let prefix = "";
  return (at) => {
    const whole = Math.floor(at / 1e6);
    if (whole !== second) {
      second = whole;
      prefix = new Date(whole * 1000).toISOString().slice(0, 20);
    }
    return `${prefix}${String(Math.floor((at - whole * 1e6) / unit)).padStart(digits, "0")}Z`;
  };
}

/** Largest difference from the system clock before the time is corrected, ms. */
const DRIFT_MAX = 5;
/** Interval of these checks, ms. */
const CHECK_EVERY = 1_000;

/**
 * The system's time in microseconds: the milliseconds of the system clock, refined by the monotonic clock. When the
 * system clock is set, the result follows a second later. `clock`: for tests.
 */
export function systemClock(clock: Pick<WallClock, "now" | "elapsed"> = SYSTEM_CLOCK): () => Micros {
  let offset = clock.now() - clock.elapsed();
  let checkAt = 0;
  return () => {
    const monotonic = clock.elapsed();
    if (monotonic >= checkAt) {
      checkAt = monotonic + CHECK_EVERY;
      const wrong = clock.now() - (monotonic + offset);
      if (Math.abs(wrong) > DRIFT_MAX) offset += wrong;
    }
    return Math.floor((monotonic + offset) * 1000);
  };
}
