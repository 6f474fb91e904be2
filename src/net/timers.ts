/**
 * Timers of one event loop, without a clock: the loop passes the time as an argument.
 *
 * Nearly all timers are cancelled before they are due, such as the dial timeout of each connection. So cancelling only
 * marks an entry. Marked entries are removed when they reach the top of the heap, or all together when they are more than
 * half of it. So the queue never has more than twice as many entries as live timers, plus a small constant.
 */
import type { Millis, Timer } from "./clock.ts";

/** With fewer entries, cancelled ones are not removed together. */
const MIN_SWEEP = 64;

/** Shared by a queue and its entries. */
interface Counts {
  cancelled: number;
}

class QueuedTimer implements Timer {
  readonly #counts: Counts;

  constructor(readonly at: Millis, readonly order: number, public run: (() => void) | null, counts: Counts) {
    this.#counts = counts;
  }

  cancel(): void {
    if (this.run === null) return;
    // Releases the closure now: what it refers to must not live as long as the entry.
    this.run = null;
    this.#counts.cancelled++;
  }
}

/** A binary heap of timers ordered by due time, then by creation. */
export class TimerQueue {
  readonly #counts: Counts = { cancelled: 0 };
  #heap: QueuedTimer[] = [];
  #created = 0;
  /** The latest time seen by `runDue`. */
  #now: Millis = -Infinity;

  /** How many entries there are, cancelled ones included. For tests. */
  get size(): number {
    return this.#heap.length;
  }

  /**
   * Calls `run` once, from the first {@link runDue} that is given `at` or later. Timers due at the same time run in
   * the order of their creation. A time that {@link runDue} has passed already counts as due at that call's time.
   */
  after(at: Millis, run: () => void): Timer {
    if (Number.isNaN(at)) throw new RangeError("Cannot set a timer for NaN: a time in milliseconds is needed");
    this.#sweep();
    const entry = new QueuedTimer(Math.max(at, this.#now), this.#created++, run, this.#counts);
    this.#heap.push(entry);
    this.#siftUp(this.#heap.length - 1);
    return entry;
  }

  /** When the next live timer is due, null when there is none. */
  nextAt(): Millis | null {
    this.#sweep();
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      if (top.run !== null) return top.at;
      this.#pop();
      this.#counts.cancelled--;
    }
    return null;
  }

  /**
   * Runs what is due at `now` and existed before the call; timers made meanwhile wait for the next call, so that one
   * which sets itself again without a delay cannot hold the loop. Returns how many ran. What a callback throws
   * is passed on; the timers behind it stay queued, and the next call runs them.
   *
   * `mayGoOn` is called between two timers with the number of timers run so far. When it returns false, the other
   * timers stay queued in order, and {@link nextAt} is not later than `now`.
   */
  runDue(now: Millis, mayGoOn: (ran: number) => boolean = () => true): number {
    this.#now = Math.max(this.#now, now);
    const firstNew = this.#created;
    let ran = 0;
    for (let at = this.nextAt(); at !== null && at <= now; at = this.nextAt()) {
      const top = this.#heap[0];
      // Timers made meanwhile are due at `now` or later, so they are behind all older timers that are due.
      if (top === undefined || top.order >= firstNew || (ran > 0 && !mayGoOn(ran))) break;
      this.#pop();
      const run = top.run;
      top.run = null;
      ran++;
      run?.();
    }
    return ran;
  }

  #sweep(): void {
    if (this.#heap.length < MIN_SWEEP || this.#counts.cancelled * 2 <= this.#heap.length) return;
    this.#heap = this.#heap.filter((entry) => entry.run !== null);
    this.#counts.cancelled = 0;
    for (let i = (this.#heap.length >> 1) - 1; i >= 0; i--) this.#siftDown(i);
  }

  #pop(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#siftDown(0);
  }

  #siftUp(from: number): void {
    const heap = this.#heap;
    const moving = heap[from]!;
    let i = from;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(moving, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = moving;
  }

  #siftDown(from: number): void {
    const heap = this.#heap;
    const moving = heap[from]!;
    let i = from;
    for (let child = 2 * i + 1; child < heap.length; child = 2 * i + 1) {
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, moving)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = moving;
  }
}

function isBefore(a: QueuedTimer, b: QueuedTimer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
