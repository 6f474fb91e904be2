/**
 * Closing a socket so that the peer can read what was said last: the alert that refuses it, the GOAWAY, the last data.
 *
 * Closing at once while the peer still sends would answer with RST, and that wipes out what it has not read yet. So:
 * FIN, then throw away what comes until the peer closes, within limits.
 */
import type { Timer } from "./clock.ts";
import * as c from "../os/constants.ts";
import { EAGAIN } from "../os/errno.ts";
import { errno, libc } from "../os/libc.ts";
import type { FdHandler, Leaving, SocketLoop } from "./socket_loop.ts";

const TIME_LIMIT_MS = 1000;
const BYTE_LIMIT = 262_144;
const bin = new Uint8Array(16_384);

class LastWords implements FdHandler, Leaving {
  readonly #loop: SocketLoop;
  readonly #fd: number;
  readonly #timer: Timer;
  #left = BYTE_LIMIT;

  constructor(loop: SocketLoop, fd: number) {
    this.#loop = loop;
    this.#fd = fd;
    this.#timer = loop.after(TIME_LIMIT_MS, () => this.closeNow());
    loop.rewatch(fd, this);
    loop.leaving.add(this);
  }

  onEvents(): void {
    while (this.#left > 0) {
      const count = libc.read(this.#fd, bin, bin.length);
      if (count < 0 && errno() === EAGAIN) return;
      if (count <= 0) break;
      this.#left -= count;
    }
    this.closeNow();
  }

  closeNow(): void {
    this.#timer.cancel();
    this.#loop.leaving.delete(this);
    this.#loop.release(this.#fd);
  }
}

/** Takes over a watched descriptor and closes it, a second from now at the latest. */
export function closeAfterLastWords(loop: SocketLoop, fd: number): void {
  libc.shutdown(fd, c.SHUT_WR);
  new LastWords(loop, fd).onEvents();
}
