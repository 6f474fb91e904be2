/** Work on very many, such as all connections of a pod that is drained: some of it in each turn of the loop. */
import type { TurnTask } from "./network.ts";
import type { Rounds } from "./rounds.ts";

/** To cut a connection, with its last record and its line in the log, takes 50 to 100 us. */
export const PORTION = 16;

/**
 * Calls `work` for each of `items`, in their order, {@link PORTION} of them in a turn; the first of them at once where
 * nobody else of `rounds` works in this turn. An item may have ended before it is its turn: `work` looks for that.
 */
export function inPortions<T>(rounds: Rounds, items: readonly T[], work: (item: T) => void): void {
  let at = 0;
  const task: TurnTask = {
    runTurn() {
      const end = Math.min(items.length, at + PORTION);
      // Before the work, so that an error costs no more than the rest of its portion.
      const from = at;
      at = end;
      if (end < items.length) rounds.add(task);
      for (let i = from; i < end; i++) work(items[i]!);
    },
  };
  if (items.length > 0) rounds.take(task);
}
