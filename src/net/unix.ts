/** Unix stream sockets on the loop, as streams like any other. */
import * as c from "../os/constants.ts";
import { SystemError } from "../os/errno.ts";
import { accept } from "../os/socket.ts";
import type { Duplex, Ending } from "./duplex.ts";
import { endingOf } from "./endings.ts";
import type { FdHandler, SocketLoop } from "./socket_loop.ts";
import { TcpDuplex } from "./tcp_duplex.ts";
import { connectToPath, listenAtPath, NO_ADDRESS } from "./unix_path.ts";

const ACCEPTS_PER_EVENT = 64;
const BACKLOG = 128;

/** Connects at once. `ENOENT`: no file; `ECONNREFUSED`: nobody listens; `EAGAIN`: its backlog is full. */
export function connectUnix(loop: SocketLoop, path: string): Duplex | Ending {
  const fd = connectToPath(c.SOCK_STREAM, path);
  return fd < 0 ? endingOf(-fd) : unixDuplex(loop, fd);
}

export interface UnixListener {
  /** Stops accepting; the file stays. Idempotent. */
  close(): void;
}

/** Throws `SystemError`; a file that is there already is `EADDRINUSE`: removing a stale one is the caller's decision. */
export function listenUnix(loop: SocketLoop, path: string, onAccept: (duplex: Duplex) => void): UnixListener {
  const onSocket = (fd: number) => onAccept(unixDuplex(loop, fd));
  return new DescriptorListener(loop, listenDescriptor(c.SOCK_STREAM, path), onSocket);
}

/** Of {@link listenUnix} and its like; throws `SystemError`. */
export function listenDescriptor(type: number, path: string): number {
  const fd = listenAtPath(type, path, BACKLOG);
  if (fd < 0) throw new SystemError(`listen at ${path}`, -fd);
  return fd;
}

/** Accepts descriptors. Does not shed: local clients, few and trusted, wait in the backlog. */
export class DescriptorListener implements UnixListener, FdHandler {
  readonly #loop: SocketLoop;
  readonly #fd: number;
  readonly #onSocket: (fd: number) => void;
  readonly #peer = new Uint8Array(128);
  #closed = false;

  constructor(loop: SocketLoop, fd: number, onSocket: (fd: number) => void) {
    this.#loop = loop;
    this.#fd = fd;
    this.#onSocket = onSocket;
    // Edge-triggered: out of descriptors it stands still until the next client comes, and does not spin.
    loop.watch(fd, c.EPOLLIN | c.EPOLLET, this);
  }

  onEvents(): void {
    for (let i = 0; i < ACCEPTS_PER_EVENT && !this.#closed; i++) {
      const fd = accept(this.#fd, this.#peer);
      if (fd < 0) return;
      this.#onSocket(fd);
    }
    if (!this.#closed) this.#loop.nextTurn({ runTurn: () => this.onEvents() });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#loop.release(this.#fd);
  }
}

function unixDuplex(loop: SocketLoop, fd: number): TcpDuplex {
  return new TcpDuplex(loop, fd, NO_ADDRESS, null, NO_ADDRESS);
}
