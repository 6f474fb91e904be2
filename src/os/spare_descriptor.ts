/**
 * A descriptor in reserve for when the process has no more. Closing it makes room to accept the connections that wait in
 * a backlog and to close them, so that clients do not hang (`docs/spec/observed.md` O29).
 */
import { EFD_CLOEXEC } from "./constants.ts";
import { libc } from "./libc_sockets.ts";

/** Holds one descriptor. */
export class SpareDescriptor {
  #fd = reserve();

  /** Runs `work`, which can open one descriptor and must close it before it returns. */
  lend(work: () => void): void {
    this.close();
    try {
      work();
    } finally {
      // Another thread may have taken it meanwhile. Then the next call tries again.
      this.#fd = reserve();
    }
  }

  /** Idempotent. */
  close(): void {
    if (this.#fd >= 0) libc.close(this.#fd);
    this.#fd = -1;
  }
}

function reserve(): number {
  return libc.eventfd(0, EFD_CLOEXEC);
}
