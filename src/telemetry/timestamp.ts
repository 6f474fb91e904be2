/** Wall-clock time for log lines. */

/** Microseconds since 1970, UTC. */
export type Micros = number;

/** `2026-08-20T12:00:00.123456Z`. Made by {@link timestamps}, which remembers the second it last saw. */
export type TimestampFormat = (at: Micros) => string;

/** Building the date costs a microsecond, and many lines share a second. */
export function timestamps(): TimestampFormat {
  let second = NaN;
  let prefix = "";
  return (at) => {
    const whole = Math.floor(at / 1e6);
    if (whole !== second) {
      second = whole;
      prefix = new Date(whole * 1000).toISOString().slice(0, 20);
    }
    return `${prefix}${String(Math.floor(at) - whole * 1e6).padStart(6, "0")}Z`;
  };
}

/** How far the refined time may be from the system's before it is set again, ms. */
const DRIFT_MAX = 5;
/** How often that is looked at, ms. */
const CHECK_EVERY = 1_000;

/**
 * The system's time in microseconds: the milliseconds of the system clock, refined by the monotonic one, which knows
 * nothing of corrections.
 */
export function systemClock(): () => Micros {
  let offset = Date.now() - performance.now();
  let checkAt = 0;
  return () => {
    const monotonic = performance.now();
    if (monotonic >= checkAt) {
      checkAt = monotonic + CHECK_EVERY;
      const wrong = Date.now() - (monotonic + offset);
      if (Math.abs(wrong) > DRIFT_MAX) offset += wrong;
    }
    return Math.floor((monotonic + offset) * 1000);
  };
}
