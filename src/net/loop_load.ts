/** How busy an event loop is, for metrics. */
import type { Millis } from "./clock.ts";

/** Counts the turns of a loop and their time. */
export class LoopLoad {
  #turns = 0;
  #busy: Millis = 0;
  #longest: Millis = 0;
  #longestSampled: Millis = 0;

  /** Turns so far. */
  get turns(): number {
    return this.#turns;
  }

  /** Time of all turns so far, and of messages that a worker has handled; the rest was spent waiting. */
  get busy(): Millis {
    return this.#busy;
  }

  turnEnded(duration: Millis): void {
    this.#turns++;
    this.messagesHandled(duration);
  }

  /** Between two turns the loop has let the runtime handle messages: bytes wait for that as for a turn. */
  messagesHandled(duration: Millis): void {
    this.#busy += duration;
    if (duration > this.#longest) this.#longest = duration;
    if (duration > this.#longestSampled) this.#longestSampled = duration;
  }

  /**
   * Returns the duration of the longest turn, or of handling messages between two turns, since the last call: what a byte
   * waited for at most.
   */
  takeLongest(): Millis {
    const longest = this.#longest;
    this.#longest = 0;
    return longest;
  }

  /** The same for another reader, whose calls do not affect {@link takeLongest}. */
  takeLongestSampled(): Millis {
    const longest = this.#longestSampled;
    this.#longestSampled = 0;
    return longest;
  }
}
