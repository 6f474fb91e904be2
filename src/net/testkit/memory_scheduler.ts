/**
 * An event loop under virtual time, for tests: nothing moves unless the test says so, and always in the same order.
 *
 * A turn is what the reactor's is: what the kernel has reported since the last one, timers that are due, the tasks
 * of `nextTurn`, the tasks of `atTurnEnd`. What a turn causes at the other end of a connection is reported in the
 * turn after it.
 */
import { setImmediate } from "node:timers";
import type { Millis, Timer } from "../clock.ts";
import type { Scheduler, TurnTask } from "../network.ts";
import { TimerQueue } from "../timers.ts";

/** As many as the reactor runs in one turn: the others follow in the next turns. */
const TIMERS_PER_TURN = 64;
/** So many turns without time moving can only be two parties that wake each other for ever. */
const MAX_TURNS_AT_ONCE = 1_000_000;

export class MemoryScheduler implements Scheduler {
  readonly #timers = new TimerQueue();
  readonly #events = new Set<TurnTask>();
  readonly #next = new Set<TurnTask>();
  readonly #atEnd = new Set<TurnTask>();
  #now: Millis = 0;
  #endWanted = false;
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
    this.#endWanted = true;
  }

  nextTurn(task: TurnTask): void {
    this.#next.add(task);
  }

  /** What the kernel would report: runs at the start of the next turn. An object is queued at most once. */
  report(event: TurnTask): void {
    this.#events.add(event);
  }

  /** Whether a turn would find something to do without time moving. */
  get busy(): boolean {
    return this.#events.size + this.#next.size + this.#atEnd.size > 0 ||
      (this.#timers.nextAt() ?? Infinity) <= this.#now;
  }

  /** One turn; time stands still. What a callback throws passes through, and nothing queued is lost. */
  step(): void {
    this.turn++;
    const next = new Set(this.#next);
    this.#drain(this.#events, new Set(this.#events));
    this.#timers.runDue(this.#now, (ran) => ran < TIMERS_PER_TURN);
    this.#drain(this.#next, next);
    this.#endTurn();
  }

  /** Turns until only the passing of time, or a promise, can cause more. */
  runUntilIdle(): void {
    for (let turns = 0; this.busy; turns++) {
      if (turns === MAX_TURNS_AT_ONCE) throw new Error(`Not idle after ${MAX_TURNS_AT_ONCE} turns`);
      this.step();
    }
  }

  /** Moves time on by `ms`, stopping at every timer, and leaves the loop idle. */
  advance(ms: Millis): void {
    const until = this.#now + ms;
    this.runUntilIdle();
    while (this.#skipToTimer(until)) this.runUntilIdle();
    this.#now = until;
  }

  /** As {@link advance}, but promises run whenever the loop is idle: needed wherever one is awaited on the way. */
  async settle(ms: Millis = 0): Promise<void> {
    const until = this.#now + ms;
    do {
      await this.#idleWithPromises();
    } while (this.#skipToTimer(until));
    this.#now = until;
  }

  /**
   * Runs until `until` holds, moving time on to the next timer whenever nothing else can happen. Rejects when nothing
   * can happen any more.
   */
  async run(until: () => boolean): Promise<void> {
    while (!until()) {
      if (this.busy) this.step();
      else await this.#wait(until);
    }
  }

  /** The turn's end may queue further tasks for the turn's end; who ran already waits for the next. */
  #endTurn(): void {
    const ran = new Set<TurnTask>();
    for (;;) {
      const fresh = [...this.#atEnd].filter((task) => !ran.has(task));
      if (fresh.length === 0) return;
      for (const task of fresh) ran.add(task);
      this.#endWanted = false;
      this.#drain(this.#atEnd, fresh);
    }
  }

  /** Runs those of `tasks` that are still in `queue`. Each is removed before it runs so that it may queue itself. */
  #drain(queue: Set<TurnTask>, tasks: Iterable<TurnTask>): void {
    for (const task of tasks) {
      if (!queue.delete(task)) continue;
      task.runTurn();
      if (this.#endWanted && queue !== this.#atEnd) this.#endTurn();
    }
  }

  /** Idle: a promise may go on, and if none does, the next timer is what comes next. */
  async #wait(until: () => boolean): Promise<void> {
    await macrotask();
    if (this.busy || until() || this.#skipToTimer(Infinity)) return;
    throw new Error("Idle for ever, but what was waited for has not happened");
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
