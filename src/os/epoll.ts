/** One epoll instance and its event buffer. Edge-triggered by the caller's choice of flags. */
import { EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL } from "./constants.ts";
import { EINTR, SystemError } from "./errno.ts";
import { errno } from "./libc.ts";
import { epollWaitAsync, libc } from "./libc_sockets.ts";

const CAPACITY = 256;

/** Offsets in an array of `struct epoll_event`, in bytes. */
interface EventLayout {
  readonly stride: number;
  /** Offset of the user data in one event. The mask is at 0. */
  readonly data: number;
}

/** The layout on an architecture: only x86-64 packs the structure (`docs/spec/inpod-dns.md` C1). */
export function eventLayout(arch: typeof Deno.build.arch): EventLayout {
  return arch === "x86_64" ? { stride: 12, data: 4 } : { stride: 16, data: 8 };
}

const { stride: STRIDE, data: DATA } = eventLayout(Deno.build.arch);

/** An epoll descriptor. Each call of {@link Epoll.wait} overwrites the events of the call before. */
export class Epoll {
  readonly #fd: number;
  readonly #events = new Uint8Array(STRIDE * CAPACITY);
  readonly #view = new DataView(this.#events.buffer);
  readonly #one = new Uint8Array(STRIDE);
  readonly #oneView = new DataView(this.#one.buffer);
  #closed = false;

  constructor() {
    this.#fd = libc.epoll_create1(EPOLL_CLOEXEC);
    if (this.#fd < 0) throw new SystemError("epoll_create1", errno());
  }

  /**
   * Reports events of `fd` from now on. `flags`: a mask of EPOLL*. Closing the descriptor removes it, unless it was
   * duplicated. Throws {@link SystemError}.
   */
  add(fd: number, flags: number): void {
    this.#oneView.setUint32(0, flags >>> 0, true);
    this.#oneView.setInt32(DATA, fd, true);
    if (libc.epoll_ctl(this.#fd, EPOLL_CTL_ADD, fd, this.#one) < 0) throw new SystemError("epoll_ctl", errno());
  }

  /** Reports no events of `fd` any more. */
  remove(fd: number): void {
    libc.epoll_ctl(this.#fd, EPOLL_CTL_DEL, fd, this.#one);
  }

  /** Blocks this thread for up to `timeout` ms (-1: for ever). Returns the number of events. */
  wait(timeout: number): number {
    return this.#count(libc.epoll_wait(this.#fd, this.#events, CAPACITY, timeout), true);
  }

  /** As {@link wait}, on a pool thread. There errno is lost, so any failure counts as no event. */
  async waitAsync(timeout: number): Promise<number> {
    return this.#count(await epollWaitAsync(this.#fd, this.#events, CAPACITY, timeout), false);
  }

  /** Descriptor of event `index` of the last wait. */
  fd(index: number): number {
    return this.#view.getInt32(index * STRIDE + DATA, true);
  }

  /** EPOLL* mask of event `index` of the last wait. */
  flags(index: number): number {
    return this.#view.getUint32(index * STRIDE, true);
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    libc.close(this.#fd);
  }

  #count(result: number, errnoIsOurs: boolean): number {
    if (result >= 0) return result;
    if (errnoIsOurs && errno() !== EINTR) throw new SystemError("epoll_wait", errno());
    return 0;
  }
}
