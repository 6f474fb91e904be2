/**
 * Limits the handshake messages (key updates, tickets) that one TLS peer may send after its handshake. Normal peers
 * send a few tickets at the start, and a key update once in many gigabytes. Data between the messages adds to the
 * budget only by its volume: a peer that sends one byte after each key update floods too.
 */
/** Messages that may be sent in one burst. */
const BURST = 64;
/** ms after which one more message is allowed. */
const MS_PER_MESSAGE = 1000;
/** Received bytes after which one more message is allowed. */
const BYTES_PER_MESSAGE = 1 << 20;

/** The budget of one session. */
export class MessageBudget {
  #left = BURST;
  #at: number;
  #bytes: number;

  /** `now` in ms; `bytes`: received by the connection so far, modulo 2^32. */
  constructor(now: number, bytes: number) {
    this.#at = now;
    this.#bytes = bytes;
  }

  /** Takes one message from the budget. False: the peer has sent too many. */
  take(now: number, bytes: number): boolean {
    const regained = (now - this.#at) / MS_PER_MESSAGE + ((bytes - this.#bytes) >>> 0) / BYTES_PER_MESSAGE;
    this.#at = now;
    this.#bytes = bytes;
    this.#left = Math.min(BURST, this.#left + regained);
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
