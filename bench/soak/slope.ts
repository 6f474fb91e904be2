/** Whether a figure grows: the line of least squares through its samples, and how certain its slope is. */

/** A sample. */
export interface Point {
  readonly hours: number;
  readonly value: number;
}

/**
 * `grows`: the slope is above its limit, even if it is as small as the noise allows. `steady`: it is below its limit,
 * even if it is as large as the noise allows. `unclear`: the run was too short for the noise of this figure.
 */
type Verdict = "steady" | "unclear" | "grows";

/** The slope of a figure. */
export interface Slope {
  /** Per hour; NaN where there are too few samples. */
  readonly perHour: number;
  /** Twice the standard error, per hour. */
  readonly uncertainty: number;
  readonly verdict: Verdict;
}

/**
 * Neighbouring samples of a heap or of open connections are alike, so their number says nothing about the certainty of
 * the slope. Means of this many equal parts of the time are nearly independent.
 */
const PARTS = 16;
/** With fewer parts, their scatter says too little about the certainty. */
const LEAST_PARTS = 8;
const STANDARD_ERRORS = 2;

/** Judges samples in the order of time. `limit`: the largest slope, per hour, that is no growth. */
export function judgeSlope(points: readonly Point[], limit: number): Slope {
  const parts = meansOf(points);
  if (parts.length < LEAST_PARTS) return { perHour: NaN, uncertainty: NaN, verdict: "unclear" };
  const hours = mean(parts.map((part) => part.hours)), level = mean(parts.map((part) => part.value));
  const spread = sum(parts.map((part) => (part.hours - hours) ** 2));
  const perHour = sum(parts.map((part) => (part.hours - hours) * (part.value - level))) / spread;
  const residuals = sum(parts.map((part) => (part.value - level - perHour * (part.hours - hours)) ** 2));
  const uncertainty = STANDARD_ERRORS * Math.sqrt(residuals / (parts.length - 2) / spread);
  return { perHour, uncertainty, verdict: verdictOf(perHour, uncertainty, limit) };
}

function verdictOf(slope: number, uncertainty: number, limit: number): Verdict {
  if (slope - uncertainty > limit) return "grows";
  return slope + uncertainty <= limit ? "steady" : "unclear";
}

/** The means of equal parts of the time; parts without a sample are left out. */
function meansOf(points: readonly Point[]): Point[] {
  const first = points[0]?.hours ?? 0, last = points.at(-1)?.hours ?? 0;
  const parts: Point[][] = Array.from({ length: PARTS }, () => []);
  for (const point of points) {
    parts[Math.min(PARTS - 1, Math.floor((point.hours - first) / (last - first) * PARTS))]?.push(point);
  }
  return parts.filter((part) => part.length > 0).map((part) => ({
    hours: mean(part.map(({ hours }) => hours)),
    value: mean(part.map(({ value }) => value)),
  }));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}
