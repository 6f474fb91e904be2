/**
 * Sends messages in their order, and not many at once: a worker takes what has arrived in one turn of its loop, some 40
 * us each, and an authority with a new root has a thousand certificates to give. Two lots may meet in a turn where the
 * worker had to wait for a processor.
 */
import type { Clock } from "../../net/clock.ts";

const AT_ONCE = 50;
/** ms between lots. */
const PAUSE = 5;

export class PacedSender<Message> {
  readonly #clock: Pick<Clock, "after">;
  readonly #send: (message: Message) => void;
  #queue: Message[] = [];
  #left = AT_ONCE;
  #pause: { cancel(): void } | null = null;

  constructor(clock: Pick<Clock, "after">, send: (message: Message) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  send(message: Message): void {
    if (this.#left === 0) return void this.#queue.push(message);
    this.#left--;
    this.#pause ??= this.#clock.after(PAUSE, () => this.#goOn());
    this.#send(message);
  }

  /** What waits is not sent. */
  close(): void {
    this.#queue = [];
    this.#pause?.cancel();
  }

  #goOn(): void {
    this.#pause = null;
    this.#left = AT_ONCE;
    const waiting = this.#queue;
    this.#queue = [];
    for (const message of waiting) this.send(message);
  }
}
