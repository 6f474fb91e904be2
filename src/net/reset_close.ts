/**
 * Resets a connection once its peer has received all that was sent.
 *
 * Needed where the source address of the connection is one of another machine. Two CPUs can deliver segments of one
 * connection in another order, and a reset that arrives before data has a sequence number that the peer does not expect,
 * so the peer only acknowledges what it has (RFC 5961 3.2). For a local address the kernel answers that with a second
 * reset; for any other it does not, and the peer would keep the connection.
 */
import type { Millis } from "./clock.ts";
import type { FdHandler, LingeringSocket, SocketLoop } from "./socket_loop.ts";
import { resetOnClose } from "../os/socket.ts";
import { tcpInfo } from "../os/tcp_info.ts";

/** The pause before the next look, which doubles each time, and the longest one: after it the socket is closed. */
const FIRST_PAUSE: Millis = 1, LONGEST_PAUSE: Millis = 512;

/** Segments with data that the peer of `fd` has not acknowledged yet. 0: the socket has failed. */
type CountInFlight = (fd: number) => number;

type ClosingLoop = Pick<SocketLoop, "after" | "lingering" | "release" | "rewatch">;

class ResetClose implements FdHandler, LingeringSocket {
  readonly #loop: ClosingLoop;
  readonly #fd: number;
  readonly #countInFlight: CountInFlight;
  #state: "waiting" | "closed" = "waiting";

  constructor(loop: ClosingLoop, fd: number, countInFlight: CountInFlight) {
    this.#loop = loop;
    this.#fd = fd;
    this.#countInFlight = countInFlight;
    loop.rewatch(fd, this);
    loop.lingering.add(this);
    this.#waitFor(FIRST_PAUSE);
  }

  /** What the peer still sends is not read. */
  onEvents(): void {}

  closeNow(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#loop.lingering.delete(this);
    this.#loop.release(this.#fd);
  }

  #waitFor(pause: Millis): void {
    this.#loop.after(pause, () => {
      if (this.#state === "closed") return;
      if (pause === LONGEST_PAUSE || this.#countInFlight(this.#fd) === 0) this.closeNow();
      else this.#waitFor(2 * pause);
    });
  }
}

/** Takes a watched descriptor and closes it with RST: at once where nothing is in flight, else within about a second. */
export function closeWithReset(loop: ClosingLoop, fd: number, countInFlight: CountInFlight = unacknowledged): void {
  resetOnClose(fd);
  if (countInFlight(fd) === 0) loop.release(fd);
  else new ResetClose(loop, fd, countInFlight);
}

const unacknowledged: CountInFlight = (fd) => tcpInfo(fd)?.unacknowledged ?? 0;
