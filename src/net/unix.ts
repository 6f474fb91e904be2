/** Unix stream sockets on the reactor, as streams like any other. */
import * as c from "../os/constants.ts";
import { SystemError } from "../os/errno.ts";
import { accept } from "../os/socket.ts";
import type { Duplex, Ending } from "./duplex.ts";
import { endingOf } from "./endings.ts";
import type { FdHandler, Reactor } from "./reactor.ts";
import { TcpDuplex } from "./tcp_duplex.ts";
import { connectToPath, listenAtPath, NO_ADDRESS } from "./unix_path.ts";

const ACCEPTS_PER_EVENT = 64;
const BACKLOG = 128;

/** Connects at once. `ENOENT`: no file; `ECONNREFUSED`: nobody listens; `EAGAIN`: its backlog is full. */
export function connectUnix(reactor: Reactor, path: string): Duplex | Ending {
  const fd = connectToPath(c.SOCK_STREAM, path);
  return fd < 0 ? endingOf(-fd) : unixDuplex(reactor, fd);
}

export interface UnixListener {
  /** Stops accepting; the file stays. Idempotent. */
  close(): void;
}

/** Throws `SystemError`; a file that is there already is `EADDRINUSE`: removing a stale one is the caller's decision. */
export function listenUnix(reactor: Reactor, path: string, onAccept: (duplex: Duplex) => void): UnixListener {
  const onSocket = (fd: number) => onAccept(unixDuplex(reactor, fd));
  return new DescriptorListener(reactor, listenDescriptor(c.SOCK_STREAM, path), onSocket);
}

/** Of {@link listenUnix} and its like; throws `SystemError`. */
export function listenDescriptor(type: number, path: string): number {
  const fd = listenAtPath(type, path, BACKLOG);
  if (fd < 0) throw new SystemError(`listen at ${path}`, -fd);
  return fd;
}

/** Accepts descriptors. Does not shed: local clients, few and trusted, wait in the backlog. */
export class DescriptorListener implements UnixListener, FdHandler {
  readonly #reactor: Reactor;
  readonly #fd: number;
  readonly #onSocket: (fd: number) => void;
  readonly #peer = new Uint8Array(128);
  #closed = false;

  constructor(reactor: Reactor, fd: number, onSocket: (fd: number) => void) {
    this.#reactor = reactor;
    this.#fd = fd;
    this.#onSocket = onSocket;
    // Edge-triggered: out of descriptors it stands still until the next client comes, and does not spin.
    reactor.watch(fd, c.EPOLLIN | c.EPOLLET, this);
  }

  onEvents(): void {
    for (let i = 0; i < ACCEPTS_PER_EVENT && !this.#closed; i++) {
      const fd = accept(this.#fd, this.#peer);
      if (fd < 0) return;
      this.#onSocket(fd);
    }
    if (!this.#closed) this.#reactor.nextTurn({ runTurn: () => this.onEvents() });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reactor.release(this.#fd);
  }
}

function unixDuplex(reactor: Reactor, fd: number): TcpDuplex {
  return new TcpDuplex(reactor, fd, NO_ADDRESS, null, NO_ADDRESS);
}
