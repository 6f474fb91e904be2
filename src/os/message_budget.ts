/**
 * How many handshake messages (key updates, tickets) one TLS peer may send after its handshake. Honest peers send a few
 * tickets at the start, and a key update once in many gigabytes. Data between the messages earns nothing by itself: a
 * peer that sends one byte after each key update is a flooder too.
 */
/** Messages that may come at once. */
const BURST = 64;
/** ms of waiting that earn one more message. */
const MS_PER_MESSAGE = 1000;
/** Bytes received that earn one more message. */
const BYTES_PER_MESSAGE = 1 << 20;

export class MessageBudget {
  #left = BURST;
  #at: number;
  #bytes: number;

  /** `now` in ms; `bytes`: received by the connection so far, modulo 2^32. */
  constructor(now: number, bytes: number) {
    this.#at = now;
    this.#bytes = bytes;
  }

  /** Pays for one message. False: there have been too many. */
  take(now: number, bytes: number): boolean {
    const earned = (now - this.#at) / MS_PER_MESSAGE + ((bytes - this.#bytes) >>> 0) / BYTES_PER_MESSAGE;
    this.#at = now;
    this.#bytes = bytes;
    this.#left = Math.min(BURST, this.#left + earned);
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
