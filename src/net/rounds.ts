/**
 * Turns of those whose work is more than a turn should hold. However many they are, one of them works in each turn of
 * the loop (or a few, where each has little to do), so everybody else waits for one at most
 * (`docs/spec/observed.md` O32).
 */
import type { Scheduler, TurnTask } from "./network.ts";

export class Rounds implements TurnTask {
  readonly #scheduler: Pick<Scheduler, "nextTurn" | "turn">;
  /** In the order of their turns. Whoever has nothing more to do takes its turn and does nothing. */
  readonly #waiting = new Set<TurnTask>();
  readonly #perTurn: number;
  /** The turn in which the last one worked, and how many have worked in it. */
  #lastTurn = -1;
  #worked = 0;

  /** `perTurn`: how many work in one turn. */
  constructor(scheduler: Pick<Scheduler, "nextTurn" | "turn">, perTurn = 1) {
    this.#scheduler = scheduler;
    this.#perTurn = perTurn;
  }

  /** `task` works in a later turn, behind those who wait; one that waits already keeps its place. */
  add(task: TurnTask): void {
    this.#waiting.add(task);
    this.#scheduler.nextTurn(this);
  }

  /** The same, but at once where nobody waits or has worked in this turn. */
  take(task: TurnTask): void {
    if (this.#waiting.size > 0 || !this.#hasRoom()) return this.add(task);
    this.#worked++;
    task.runTurn();
  }

  runTurn(): void {
    // Whoever comes back during the turn stands behind the others, and may have what is left of it.
    for (const task of this.#waiting) {
      if (!this.#hasRoom()) break;
      this.#waiting.delete(task);
      // Before the task, which may throw.
      if (this.#waiting.size > 0) this.#scheduler.nextTurn(this);
      this.#worked++;
      task.runTurn();
    }
    if (this.#waiting.size > 0) this.#scheduler.nextTurn(this);
  }

  #hasRoom(): boolean {
    const { turn } = this.#scheduler;
    if (turn !== this.#lastTurn) this.#worked = 0;
    this.#lastTurn = turn;
    return this.#worked < this.#perTurn;
  }
}
