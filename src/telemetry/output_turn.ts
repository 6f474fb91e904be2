/**
 * A lock on an output that several isolates share.
 *
 * A non-blocking write may write only a part of a line. The isolate that has written a part keeps the lock until the
 * rest is written, so that no line of another isolate gets in between.
 */

const FREE = 0;
/** An isolate is in a non-blocking write call. */
const WRITING = 1;
/** An isolate has written a part of a line, and waits until the output accepts more. */
const HELD = 2;

/** ms to wait for an isolate that is writing. A write takes microseconds unless its thread is off the CPU. */
const WAIT = 1;
const TRIES = 3;

/** The lock, as one isolate uses it. */
export class OutputTurn {
  readonly #cell: Int32Array;
  #isHolder = false;

  /** `shared`: four bytes, zero at first, the same for all isolates. */
  constructor(readonly shared: SharedArrayBuffer = new SharedArrayBuffer(4)) {
    this.#cell = new Int32Array(shared);
  }

  /** True: write now, then call {@link release}. False: another isolate holds the lock; try again later. */
  acquire(): boolean {
    if (this.#isHolder) return true;
    for (let tries = 0; tries < TRIES; tries++) {
      const held = Atomics.compareExchange(this.#cell, 0, FREE, WRITING);
      if (held === FREE) return true;
      if (held === HELD) return false;
      Atomics.wait(this.#cell, 0, WRITING, WAIT);
    }
    return false;
  }

  /** Releases the lock, or keeps it where `inLine`: only a part of a line is written. */
  release(inLine: boolean): void {
    this.#isHolder = inLine;
    Atomics.store(this.#cell, 0, inLine ? HELD : FREE);
    Atomics.notify(this.#cell, 0);
  }
}
