/**
 * Whose turn it is to write to an output that several isolates share.
 *
 * A write that does not wait may take only a part of a line. Whoever has written a part keeps the output until the rest
 * is out, so that no line of another isolate gets in between.
 */

const FREE = 0;
/** Somebody is in the middle of a call that does not wait. */
const WRITING = 1;
/** Somebody has written a part of a line, and waits until the output takes more. */
const KEPT = 2;

/** How long to wait for somebody who is writing, ms. A write takes microseconds unless its thread is off the CPU. */
const PATIENCE = 1;
const TRIES = 3;

export class OutputTurn {
  readonly #cell: Int32Array;
  #kept = false;

  /** `shared`: four bytes, zero at first, the same for all isolates. */
  constructor(readonly shared: SharedArrayBuffer = new SharedArrayBuffer(4)) {
    this.#cell = new Int32Array(shared);
  }

  /** True: write now, then {@link give}. False: somebody else has the output; try later. */
  take(): boolean {
    if (this.#kept) return true;
    for (let tries = 0; tries < TRIES; tries++) {
      const held = Atomics.compareExchange(this.#cell, 0, FREE, WRITING);
      if (held === FREE) return true;
      if (held === KEPT) return false;
      Atomics.wait(this.#cell, 0, WRITING, PATIENCE);
    }
    return false;
  }

  /** `inLine`: a part of a line is written, so the output stays ours. */
  give(inLine: boolean): void {
    this.#kept = inLine;
    Atomics.store(this.#cell, 0, inLine ? KEPT : FREE);
    Atomics.notify(this.#cell, 0);
  }
}
