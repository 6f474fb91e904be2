/** Finds existing names that are similar to one that was typed. */
import { editDistance } from "../../config/edit_distance.ts";

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
