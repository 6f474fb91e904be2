/**
 * Sends messages in their order, in batches with a pause between them. A worker handles all messages that have arrived in
 * one turn of its loop, some 40 us each, and an authority with a new root issues a thousand certificates at once. Two
 * batches may arrive in the same turn when the worker had to wait for a processor.
 */
import type { Clock, Timer } from "../../net/clock.ts";

const BATCH = 50;
/** ms between two batches. */
const PAUSE = 5;

export class PacedSender<Message> {
  readonly #clock: Pick<Clock, "after">;
  readonly #send: (message: Message) => void;
  #queue: Message[] = [];
  #left = BATCH;
  #pause: Timer | null = null;

  constructor(clock: Pick<Clock, "after">, send: (message: Message) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  send(message: Message): void {
    if (this.#left === 0) return void this.#queue.push(message);
    this.#left--;
    this.#pause ??= this.#clock.after(PAUSE, () => this.#nextBatch());
    this.#send(message);
  }

  /** Discards messages that have not been sent. */
  close(): void {
    this.#queue = [];
    this.#pause?.cancel();
  }

  #nextBatch(): void {
    this.#pause = null;
    this.#left = BATCH;
    const waiting = this.#queue;
    this.#queue = [];
    for (const message of waiting) this.send(message);
  }
}
