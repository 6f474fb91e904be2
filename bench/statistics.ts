/** Median and ratio of figures. */

/** The middle value; the mean of the two middle ones; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? NaN) + high) / 2;
}

/**
 * Median of the ratios of each round: the machine's speed moves by half between minutes, so only figures of the same
 * round may be divided. NaN where a round lacks one of the two.
 */
export function medianRatio(figures: readonly number[], peer: readonly number[]): number {
  return median(figures.map((figure, round) => figure / (peer[round] ?? NaN)));
}
