/**
 * Turns of those whose work is more than a turn should hold. However many they are, one of them works in each turn of
 * the loop (or a few, where each has little to do), so everybody else waits for one at most
 * (`docs/spec/observed.md` O32).
 */
import type { Scheduler, TurnTask } from "./network.ts";

/** Those who wait for their turn; it decides who is next. */
export interface Waiting<T> {
  readonly size: number;
  /** One that waits already keeps its place. */
  add(task: T): void;
  /** Takes out whoever is next; undefined: nobody, or nobody who still has something to do. */
  shift(): T | undefined;
}

/** In the order of their coming. */
export class InOrder<T> implements Waiting<T> {
  readonly #tasks = new Set<T>();

  get size(): number {
    return this.#tasks.size;
  }

  add(task: T): void {
    this.#tasks.add(task);
  }

  shift(): T | undefined {
    for (const task of this.#tasks) {
      this.#tasks.delete(task);
      return task;
    }
    return undefined;
  }
}

export class Rounds<T extends TurnTask = TurnTask> implements TurnTask {
  readonly #scheduler: Pick<Scheduler, "nextTurn" | "turn">;
  /** Whoever has nothing more to do takes its turn and does nothing. */
  readonly #waiting: Waiting<T>;
  readonly #perTurn: number;
  /** The turn in which the last one worked, and how many have worked in it. */
  #lastTurn = -1;
  #worked = 0;

  /** `perTurn`: how many work in one turn. */
  constructor(
    scheduler: Pick<Scheduler, "nextTurn" | "turn">,
    perTurn = 1,
    waiting: Waiting<T> = new InOrder(),
  ) {
    this.#scheduler = scheduler;
    this.#perTurn = perTurn;
    this.#waiting = waiting;
  }

  /** `task` works in a later turn, when those who wait have had theirs. */
  add(task: T): void {
    this.#waiting.add(task);
    this.#scheduler.nextTurn(this);
  }

  /** The same, but at once where nobody waits or has worked in this turn. */
  take(task: T): void {
    if (this.#waiting.size > 0 || !this.#hasRoom()) return this.add(task);
    this.#worked++;
    task.runTurn();
  }

  runTurn(): void {
    // Whoever comes back during the turn waits like the others, and may have what is left of it.
    while (this.#waiting.size > 0 && this.#hasRoom()) {
      const task = this.#waiting.shift();
      if (task === undefined) break;
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
