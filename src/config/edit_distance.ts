/**
 * The number of insertions, deletions and replacements that turn `a` into `b`; `limit + 1` where it is more than `limit`.
 * Takes about a microsecond for names.
 */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  let next = row.slice();
  for (let i = 1; i <= a.length; i++) {
    // All cells farther from the diagonal are above the limit.
    const [from, to] = [Math.max(1, i - limit), Math.min(b.length, i + limit)];
    let least = next[from - 1] = from === 1 ? i : limit + 1;
    for (let j = from; j <= to; j++) {
      const replaced = row[j - 1]! + (a.charCodeAt(i - 1) === b.charCodeAt(j - 1) ? 0 : 1);
      const above = j === i + limit ? limit + 1 : row[j]! + 1;
      next[j] = Math.min(replaced, above, next[j - 1]! + 1);
      least = Math.min(least, next[j]!);
    }
    if (least > limit) return limit + 1;
    [row, next] = [next, row];
  }
  return Math.min(row[b.length]!, limit + 1);
}
