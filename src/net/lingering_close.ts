/**
 * Closes a socket so that the peer can still read what was sent last: the alert that refuses it, the GOAWAY, the last data.
 *
 * When a socket is closed while the peer still sends, the kernel answers with RST, and the peer loses what it has not read
 * yet. So this sends FIN and discards what arrives until the peer closes, within limits.
 */
import type { Timer } from "./clock.ts";
import * as c from "../os/constants.ts";
import { EAGAIN } from "../os/errno.ts";
import { errno } from "../os/libc.ts";
import { libc } from "../os/libc_sockets.ts";
import type { FdHandler, LingeringSocket, SocketLoop } from "./socket_loop.ts";

const TIME_LIMIT_MS = 1000;
const BYTE_LIMIT = 262_144;
const discarded = new Uint8Array(16_384);

class LingeringClose implements FdHandler, LingeringSocket {
  readonly #loop: SocketLoop;
  readonly #fd: number;
  readonly #timer: Timer;
  #left = BYTE_LIMIT;

  constructor(loop: SocketLoop, fd: number) {
    this.#loop = loop;
    this.#fd = fd;
    this.#timer = loop.after(TIME_LIMIT_MS, () => this.closeNow());
    loop.rewatch(fd, this);
    loop.lingering.add(this);
  }

  onEvents(): void {
    while (this.#left > 0) {
      const count = libc.read(this.#fd, discarded, discarded.length);
      if (count < 0 && errno() === EAGAIN) return;
      if (count <= 0) break;
      this.#left -= count;
    }
    this.closeNow();
  }

  closeNow(): void {
    this.#timer.cancel();
    this.#loop.lingering.delete(this);
    this.#loop.release(this.#fd);
  }
}

/** Takes a watched descriptor and closes it within a second. */
export function closeLingering(loop: SocketLoop, fd: number): void {
  libc.shutdown(fd, c.SHUT_WR);
  new LingeringClose(loop, fd).onEvents();
}
