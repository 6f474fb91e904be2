/** Does work on very many items, such as all connections of a drained pod, with a portion in each turn of the event loop. */
import type { TurnTask } from "./network.ts";
import type { Rounds } from "./rounds.ts";

/** Items of one portion. Closing a connection, with its last TLS record and its log line, takes 50 to 100 us. */
export const PORTION = 16;

/**
 * Calls `work` for each of `items`, in order, for {@link PORTION} of them in a turn. The first portion runs at once
 * when no other task of `rounds` runs in this turn. `work` must check whether its item has ended in the meantime.
 */
export function inPortions<T>(rounds: Rounds, items: readonly T[], work: (item: T) => void): void {
  let at = 0;
  const task: TurnTask = {
    runTurn() {
      const end = Math.min(items.length, at + PORTION);
      // Updated before the work, so that an error skips only the rest of its portion.
      const from = at;
      at = end;
      if (end < items.length) rounds.add(task);
      for (let i = from; i < end; i++) work(items[i]!);
    },
  };
  if (items.length > 0) rounds.take(task);
}
