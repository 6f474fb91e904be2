/**
 * Schedules tasks that together take longer than one turn of the event loop may. However many tasks there are, one of them
 * runs in each turn (or a few, if each is short), so they delay all other work by one task at most
 * (`docs/spec/observed.md` O32).
 */
import type { Scheduler, TurnTask } from "./network.ts";

/** The waiting tasks; the implementation decides which one is next. */
export interface Waiting<T> {
  readonly size: number;
  /** Adds a task; a task that waits already keeps its place. */
  add(task: T): void;
  /** Removes and returns the next task; undefined: none has work. */
  shift(): T | undefined;
}

/** Tasks in order of arrival. */
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

/** Runs tasks of an event loop, a few in each turn. */
export class Rounds<T extends TurnTask = TurnTask> implements TurnTask {
  readonly #scheduler: Pick<Scheduler, "nextTurn" | "turn">;
  /** A task without work left still gets its turn and must do nothing. */
  readonly #waiting: Waiting<T>;
  readonly #perTurn: number;
  /** The turn in which a task last ran, and how many have run in it. */
  #lastTurn = -1;
  #ranInTurn = 0;

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

  /** Number of waiting tasks. */
  get size(): number {
    return this.#waiting.size;
  }

  /** `task` runs in a later turn, after the tasks that wait already. */
  add(task: T): void {
    this.#waiting.add(task);
    this.#scheduler.nextTurn(this);
  }

  /** As {@link add}, but runs `task` at once when no task waits and this turn has room. */
  take(task: T): void {
    if (this.#waiting.size > 0 || !this.#hasRoom()) return this.add(task);
    this.#ranInTurn++;
    task.runTurn();
  }

  runTurn(): void {
    // A task that is added again during the turn goes to the end of the queue, and may run if the turn has room left.
    while (this.#waiting.size > 0 && this.#hasRoom()) {
      const task = this.#waiting.shift();
      if (task === undefined) break;
      // Scheduled before the task runs, since the task may throw.
      if (this.#waiting.size > 0) this.#scheduler.nextTurn(this);
      this.#ranInTurn++;
      task.runTurn();
    }
    if (this.#waiting.size > 0) this.#scheduler.nextTurn(this);
  }

  #hasRoom(): boolean {
    const { turn } = this.#scheduler;
    if (turn !== this.#lastTurn) this.#ranInTurn = 0;
    this.#lastTurn = turn;
    return this.#ranInTurn < this.#perTurn;
  }
}
