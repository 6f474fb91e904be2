/** Finds existing names that are similar to one that was typed. */

/** Names compared at most; each takes about a microsecond. */
const MAX_COMPARED = 2000;
const MAX_SUGGESTED = 5;

/** The items with the most similar names: at most five, most similar first. Only the first 2,000 items are compared. */
export function nearNames<T>(typed: string, items: Iterable<T>, nameOf: (item: T) => string): T[] {
  const allowed = Math.max(2, Math.floor(typed.length / 3));
  const found: { item: T; name: string; distance: number }[] = [];
  let compared = 0;
  for (const item of items) {
    if (compared++ === MAX_COMPARED) break;
    const name = nameOf(item);
    const distance = distanceBetween(typed, name, allowed);
    if (distance < allowed + 1) found.push({ item, name, distance });
  }
  found.sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1));
  return found.slice(0, MAX_SUGGESTED).map(({ item }) => item);
}

/** A part of a name counts as nearer than any misspelling, since pods have suffixes that people do not type. */
function distanceBetween(typed: string, name: string, allowed: number): number {
  if (typed.length >= 3 && name.startsWith(typed)) return 0;
  if (typed.length >= 3 && name.includes(typed)) return 0.5;
  const start = name.length > typed.length ? name.slice(0, typed.length) : name;
  return Math.min(editDistance(typed, name, allowed), editDistance(typed, start, allowed) + 0.5);
}

/** Insertions, deletions and replacements from `a` to `b`; `limit + 1` where it is more than `limit`. */
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
