/** Descriptors with one owner at a time. */
import { libc } from "./libc.ts";

/** Owns a descriptor until it is closed or taken, so that it is closed once. */
export class OwnedDescriptor implements Disposable {
  #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** The number; -1 once it was taken or closed. It must not be kept. */
  get fd(): number {
    return this.#fd;
  }

  /** Returns the number, which the caller owns from now on. */
  take(): number {
    const fd = this.#fd;
    this.#fd = -1;
    return fd;
  }

  /** Closes the descriptor, unless it was taken. Idempotent. */
  close(): void {
    const fd = this.take();
    if (fd >= 0) libc.close(fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
