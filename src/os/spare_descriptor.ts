/**
 * A descriptor kept for the moment when there are no more: given up, it makes room to accept what waits in a backlog
 * and close it, so that clients see an end instead of hanging (`docs/spec/observed.md` O29).
 */
import { EFD_CLOEXEC } from "./constants.ts";
import { libc } from "./libc.ts";

export class SpareDescriptor {
  #fd = take();

  /** Runs `work` with one descriptor more to have, which it must have given back in the end. */
  lend(work: () => void): void {
    this.close();
    try {
      work();
    } finally {
      // Another thread may have been faster; then the next time tries again.
      this.#fd = take();
    }
  }

  close(): void {
    if (this.#fd >= 0) libc.close(this.#fd);
    this.#fd = -1;
  }
}

function take(): number {
  return libc.eventfd(0, EFD_CLOEXEC);
}
