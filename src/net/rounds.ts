/**
 * Turns of those whose work is more than a turn should hold. However many they are, one of them works in each turn of
 * the loop, so everybody else waits for one at most (`docs/spec/observed.md` O32).
 */
import type { Scheduler, TurnTask } from "./network.ts";

export class Rounds implements TurnTask {
  readonly #scheduler: Pick<Scheduler, "nextTurn" | "turn">;
  /** In the order of their turns. Whoever has nothing more to do takes its turn and does nothing. */
  readonly #waiting = new Set<TurnTask>();
  /** The turn in which the last one worked. */
  #lastTurn = -1;

  constructor(scheduler: Pick<Scheduler, "nextTurn" | "turn">) {
    this.#scheduler = scheduler;
  }

  /** `task` works in a later turn, behind those who wait; one that waits already keeps its place. */
  add(task: TurnTask): void {
    this.#waiting.add(task);
    this.#scheduler.nextTurn(this);
  }

  /** The same, but at once where nobody waits or has worked in this turn. */
  take(task: TurnTask): void {
    if (this.#waiting.size > 0 || this.#scheduler.turn === this.#lastTurn) return this.add(task);
    this.#lastTurn = this.#scheduler.turn;
    task.runTurn();
  }

  runTurn(): void {
    if (this.#scheduler.turn === this.#lastTurn) return this.#scheduler.nextTurn(this);
    for (const task of this.#waiting) {
      this.#waiting.delete(task);
      if (this.#waiting.size > 0) this.#scheduler.nextTurn(this);
      this.#lastTurn = this.#scheduler.turn;
      return task.runTurn();
    }
  }
}
