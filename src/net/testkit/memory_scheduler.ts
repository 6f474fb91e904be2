/**
 * An event loop under virtual time, for tests. It runs when the test calls it, and always in the same order.
 *
 * A turn is as in the reactor: events since the last turn, timers that are due, the tasks of `nextTurn`, the tasks of
 * `atTurnEnd`. What a turn causes at the other end of a connection is reported in the next turn.
 */
import { setImmediate } from "node:timers";
import type { Millis, Timer } from "../clock.ts";
import type { Scheduler, TurnTask } from "../network.ts";
import { TimerQueue } from "../timers.ts";

/** As in the reactor: the other timers run in the next turns. */
const TIMERS_PER_TURN = 64;
/** More turns without time passing mean that two parties wake each other for ever. */
const MAX_TURNS_AT_ONCE = 1_000_000;

/** The event loop. The time begins at 0. */
export class MemoryScheduler implements Scheduler {
  readonly #timers = new TimerQueue();
  readonly #events = new Set<TurnTask>();
  readonly #next = new Set<TurnTask>();
  readonly #atEnd = new Set<TurnTask>();
  #now: Millis = 0;
  #endsTurnSoon = false;
  turn = 0;

  now(): Millis {
    return this.#now;
  }

  after(delay: Millis, run: () => void): Timer {
    return this.#timers.after(this.#now + Math.max(0, delay), run);
  }

  atTurnEnd(task: TurnTask): void {
    this.#atEnd.add(task);
  }

  endTurnSoon(): void {
    this.#endsTurnSoon = true;
  }

  nextTurn(task: TurnTask): void {
    this.#next.add(task);
  }

  /** Reports an event, which runs at the start of the next turn. An object is queued at most once. */
  report(event: TurnTask): void {
    this.#events.add(event);
  }

  /** Whether a turn has something to do before time passes. */
  get busy(): boolean {
    return this.#events.size + this.#next.size + this.#atEnd.size > 0 ||
      (this.#timers.nextAt() ?? Infinity) <= this.#now;
  }

  /** Runs one turn; no time passes. What a callback throws is passed on, and nothing that is queued is lost. */
  step(): void {
    this.turn++;
    const next = new Set(this.#next);
    this.#runTasks(this.#events, new Set(this.#events));
    this.#timers.runDue(this.#now, (ran) => ran < TIMERS_PER_TURN);
    this.#runTasks(this.#next, next);
    this.#endTurn();
  }

  /** Runs turns until nothing is left to do before time passes or a promise is settled. */
  runUntilIdle(): void {
    for (let turns = 0; this.busy; turns++) {
      if (turns === MAX_TURNS_AT_ONCE) throw new Error(`Not idle after ${MAX_TURNS_AT_ONCE} turns`);
      this.step();
    }
  }

  /** Advances the time by `ms`, running all timers on the way, and leaves the loop idle. */
  advance(ms: Millis): void {
    const until = this.#now + ms;
    this.runUntilIdle();
    while (this.#skipToTimer(until)) this.runUntilIdle();
    this.#now = until;
  }

  /** As {@link advance}, but promises continue whenever the loop is idle. */
  async settle(ms: Millis = 0): Promise<void> {
    const until = this.#now + ms;
    do {
      await this.#idleWithPromises();
    } while (this.#skipToTimer(until));
    this.#now = until;
  }

  /**
   * Runs until `until` holds, and advances the time to the next timer whenever the loop is idle. Rejects when nothing is
   * left that could happen.
   */
  async run(until: () => boolean): Promise<void> {
    while (!until()) {
      if (this.busy) this.step();
      else await this.#wait(until);
    }
  }

  /** Tasks may add others to the same end of turn. A task that has run waits for the next turn. */
  #endTurn(): void {
    const ran = new Set<TurnTask>();
    for (;;) {
      const fresh = [...this.#atEnd].filter((task) => !ran.has(task));
      if (fresh.length === 0) return;
      for (const task of fresh) ran.add(task);
      this.#endsTurnSoon = false;
      this.#runTasks(this.#atEnd, fresh);
    }
  }

  /** Runs those of `tasks` that are still in `queue`. Each is removed before it runs, so that it may add itself. */
  #runTasks(queue: Set<TurnTask>, tasks: Iterable<TurnTask>): void {
    for (const task of tasks) {
      if (!queue.delete(task)) continue;
      task.runTurn();
      if (this.#endsTurnSoon && queue !== this.#atEnd) this.#endTurn();
    }
  }

  /** Lets promises continue. If none causes work, advances the time to the next timer. */
  async #wait(until: () => boolean): Promise<void> {
    await macrotask();
    if (this.busy || until() || this.#skipToTimer(Infinity)) return;
    throw new Error("Nothing is left to run, but the condition does not hold");
  }

  #skipToTimer(limit: Millis): boolean {
    const at = this.#timers.nextAt();
    if (at === null || at > limit) return false;
    this.#now = Math.max(this.#now, at);
    return true;
  }

  async #idleWithPromises(): Promise<void> {
    do {
      this.runUntilIdle();
      await macrotask();
    } while (this.busy);
  }
}

function macrotask(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
