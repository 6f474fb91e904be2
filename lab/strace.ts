/** Reads the summary of `strace -c`. */

/** The number of calls by name. */
export type CallCounts = ReadonlyMap<string, number>;

/** Parses the rows of `strace -c`: `% time, seconds, usecs/call, calls, [errors], name`. The total is ignored. */
export function parseStrace(summary: string): CallCounts {
  const counts = new Map<string, number>();
  for (const match of summary.matchAll(/^\s*[\d.]+\s+[\d.]+\s+\d*\s+(\d+)\s+(?:\d+\s+)?([a-z]\w*)$/gm)) {
    if (match[2] !== "total") counts.set(match[2] ?? "", Number(match[1]));
  }
  return counts;
}
