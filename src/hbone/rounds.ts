/**
 * The turns of those who are behind: connections whose received bytes are more work than fits into one turn. However
 * many they are, one of them has one pass a turn, so the others wait a pass at most (`docs/spec/observed.md` O32).
 */
import type { Scheduler, TurnTask } from "../net/network.ts";

export class Rounds implements TurnTask {
  readonly #scheduler: Pick<Scheduler, "nextTurn">;
  /** In the order of their turns. Whoever has nothing more to do takes its turn and does nothing. */
  readonly #waiting = new Set<TurnTask>();

  constructor(scheduler: Pick<Scheduler, "nextTurn">) {
    this.#scheduler = scheduler;
  }

  /** `task` gets a turn behind those who wait; one that waits already keeps its place. */
  add(task: TurnTask): void {
    this.#waiting.add(task);
    this.#scheduler.nextTurn(this);
  }

  runTurn(): void {
    for (const task of this.#waiting) {
      this.#waiting.delete(task);
      if (this.#waiting.size > 0) this.#scheduler.nextTurn(this);
      return task.runTurn();
    }
  }
}
