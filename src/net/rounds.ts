/**
 * Takes turns between tasks whose work is more than one turn of the event loop should hold. However many tasks there
 * are, one of them runs in each turn (or a few, where each has little to do), so all other work is delayed by one task
 * at most (`docs/spec/observed.md` O32).
 */
import type { Scheduler, TurnTask } from "./network.ts";

/** The waiting tasks; the implementation decides which one is next. */
export interface Waiting<T> {
  readonly size: number;
  /** A task that waits already keeps its place. */
  add(task: T): void;
  /** Removes and returns the next task; undefined: there is none that still has work. */
  shift(): T | undefined;
}

/** In order of arrival. */
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
  /** A task that has no work left still gets its turn and does nothing. */
  readonly #waiting: Waiting<T>;
  readonly #perTurn: number;
  /** The turn in which a task last ran, and how many have run in it. */
  #lastTurn = -1;
  #worked = 0;

  /** `perTurn`: how many tasks run in one turn. */
  constructor(
    scheduler: Pick<Scheduler, "nextTurn" | "turn">,
    perTurn = 1,
    waiting: Waiting<T> = new InOrder(),
  ) {
    this.#scheduler = scheduler;
    this.#perTurn = perTurn;
    this.#waiting = waiting;
  }

  /** `task` runs in a later turn, after the tasks that wait already. */
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
    // A task that is added again during the turn goes to the end of the queue, and may run if the turn has room left.
    while (this.#waiting.size > 0 && this.#hasRoom()) {
      const task = this.#waiting.shift();
      if (task === undefined) break;
      // Scheduled before the task runs, which may throw.
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
