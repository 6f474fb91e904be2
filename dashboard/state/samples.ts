/** The samples of the last hour, and what the charts show of them. */
import type { Hour } from "./wire.ts";

/** An hour of samples, as they arrived. */
export type Samples = Hour;

/** A line of a chart: a value for each sample; null: not known. */
export type Line = readonly (number | null)[];

/** Nothing has arrived. */
export const NO_SAMPLES: Samples = { every: 5000, names: [], samples: [] };

const HOUR = 3_600_000;

/** Adds one sample, and drops those that are older than an hour. */
export function withSample(hour: Samples, sample: readonly number[]): Samples {
  const kept = Math.ceil(HOUR / hour.every);
  return { ...hour, samples: [...hour.samples, sample].slice(-kept) };
}

/** The values of one name. */
export function gauge(hour: Samples, name: string): Line {
  const at = hour.names.indexOf(name);
  return at < 0 ? hour.samples.map(() => null) : hour.samples.map((sample) => sample[at] ?? null);
}

/** What a counter has grown per second of time; null for the first sample, and where it has started again. */
export function rate(hour: Samples, name: string): Line {
  const values = gauge(hour, name), times = gauge(hour, "time");
  return values.map((value, i) => {
    const before = values[i - 1], from = times[i - 1], to = times[i];
    if (value === null || before == null || from == null || to == null || to <= from || value < before) return null;
    return (value - before) / (to - from) * 1000;
  });
}

/** The share of time that workers were busy, 0 to 1 of each worker. */
export function busyShare(hour: Samples): Line {
  const busy = rate(hour, "busy"), workers = gauge(hour, "workers");
  return busy.map((value, i) => value === null ? null : Math.min(1, value / 1000 / Math.max(1, workers[i] ?? 1)));
}

/** Two lines added. */
export function sum(...lines: readonly Line[]): Line {
  const [first = []] = lines;
  return first.map((_, i) => {
    const values = lines.map((line) => line[i] ?? null);
    return values.includes(null) ? null : values.reduce<number>((total, value) => total + value!, 0);
  });
}

/** The last value that is known; null: none. */
export function latest(line: Line): number | null {
  for (let i = line.length - 1; i >= Math.max(0, line.length - 3); i--) {
    const value = line[i] ?? null;
    if (value !== null) return value;
  }
  return null;
}

/** Events of flows per second, by the last samples: each opening is one, each ending another. */
export function eventRate(hour: Samples): number {
  const opened = latest(sum(rate(hour, "openedInbound"), rate(hour, "openedOutbound"))) ?? 0;
  return 2 * opened + (latest(rate(hour, "refused")) ?? 0);
}
