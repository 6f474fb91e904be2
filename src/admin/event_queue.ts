/** The body of a response with server-sent events: texts wait here until the connection takes them. */
import type { Clock, Millis, Timer } from "../net/clock.ts";

interface Waiting {
  readonly text: string;
  readonly taken: () => void;
}

/** Whoever adds texts bounds how many wait, by `taken`. */
export class EventQueue {
  readonly #clock: Pick<Clock, "after">;
  readonly #heartbeat: Millis;
  readonly #waiting: Waiting[] = [];
  /** The reader waits for the next text. */
  #reader: ((text: string | null) => void) | null = null;
  #timer: Timer | null = null;
  #hasEnded = false;

  /** After `heartbeat` without a text a comment is sent. */
  constructor(clock: Pick<Clock, "after">, heartbeat: Millis) {
    this.#clock = clock;
    this.#heartbeat = heartbeat;
  }

  /** `taken` is called when the connection takes the text. */
  add(text: string, taken: () => void): void {
    this.#waiting.push({ text, taken });
    this.#deliver();
  }

  /** Adds a text before those that wait. */
  addFirst(text: string): void {
    this.#waiting.unshift({ text, taken() {} });
    this.#deliver();
  }

  /** Ends the body behind the texts that wait. */
  end(): void {
    this.#hasEnded = true;
    this.#deliver();
  }

  /** The response is closed. */
  close(): void {
    this.#timer?.cancel();
    this.#waiting.length = 0;
    this.end();
  }

  /** The next text; null at the end. */
  next(): Promise<string | null> {
    const { promise, resolve } = Promise.withResolvers<string | null>();
    this.#reader = resolve;
    this.#timer = this.#clock.after(this.#heartbeat, () => this.#answer(": nothing has happened\n\n"));
    this.#deliver();
    return promise;
  }

  #deliver(): void {
    if (this.#reader === null) return;
    const next = this.#waiting.shift();
    if (next !== undefined) {
      this.#answer(next.text);
      next.taken();
    } else if (this.#hasEnded) this.#answer(null);
  }

  #answer(text: string | null): void {
    const reader = this.#reader;
    this.#reader = null;
    this.#timer?.cancel();
    reader?.(text);
  }
}
