/** The body of a response with server-sent events: they wait here until the connection takes them. */
import type { Clock, Millis, Timer } from "../net/clock.ts";

/** Some server-sent events, or a part of one. */
type Piece = string | Uint8Array;

interface Waiting {
  readonly piece: Piece;
  readonly taken: () => void;
}

/** Whoever adds pieces bounds how many wait, by `taken`. */
export class EventQueue {
  readonly #clock: Pick<Clock, "after">;
  readonly #heartbeat: Millis;
  readonly #waiting: Waiting[] = [];
  /** The reader waits for the next piece. */
  #reader: ((piece: Piece | null) => void) | null = null;
  #timer: Timer | null = null;
  /** Of the piece that the connection writes. */
  #taken = () => {};
  #hasEnded = false;

  /** After `heartbeat` without a piece a comment is sent. */
  constructor(clock: Pick<Clock, "after">, heartbeat: Millis) {
    this.#clock = clock;
    this.#heartbeat = heartbeat;
  }

  /** `taken` is called when the connection has written the piece. */
  add(piece: Piece, taken: () => void = () => {}): void {
    this.#waiting.push({ piece, taken });
    this.#deliver();
  }

  /** Adds a piece before those that wait. */
  addFirst(piece: Piece): void {
    this.#waiting.unshift({ piece, taken() {} });
    this.#deliver();
  }

  /** Ends the body behind the pieces that wait. */
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

  /** The next piece; null at the end. */
  next(): Promise<Piece | null> {
    this.#taken();
    this.#taken = () => {};
    const { promise, resolve } = Promise.withResolvers<Piece | null>();
    this.#reader = resolve;
    this.#timer = this.#clock.after(this.#heartbeat, () => this.#answer(": nothing has happened\n\n"));
    this.#deliver();
    return promise;
  }

  #deliver(): void {
    if (this.#reader === null) return;
    const next = this.#waiting.shift();
    if (next !== undefined) {
      this.#taken = next.taken;
      this.#answer(next.piece);
    } else if (this.#hasEnded) this.#answer(null);
  }

  #answer(piece: Piece | null): void {
    const reader = this.#reader;
    this.#reader = null;
    this.#timer?.cancel();
    reader?.(piece);
  }
}
