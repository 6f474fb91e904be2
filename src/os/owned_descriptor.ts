/** A descriptor with one owner: closed once, by whoever has it last. */
import { libc } from "./libc.ts";

export class OwnedDescriptor implements Disposable {
  #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** The number, to use while it is owned here; -1 once it was taken or closed. */
  get fd(): number {
    return this.#fd;
  }

  /** The caller owns the number from now on. */
  take(): number {
    const fd = this.#fd;
    this.#fd = -1;
    return fd;
  }

  /** Idempotent; nothing happens to a descriptor that was taken. */
  close(): void {
    const fd = this.take();
    if (fd >= 0) libc.close(fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
