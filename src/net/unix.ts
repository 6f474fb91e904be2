/** Unix stream sockets on the event loop. */
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

/**
 * Connects at once, or returns why not: `ENOENT` (no file), `ECONNREFUSED` (no listener) or `EAGAIN` (its backlog is full).
 */
export function connectUnix(loop: SocketLoop, path: string): Duplex | Ending {
  const fd = connectToPath(c.SOCK_STREAM, path);
  return fd < 0 ? endingOf(-fd) : unixDuplex(loop, fd);
}

/** A listening Unix socket. */
export interface UnixListener {
  /** Stops accepting; the file remains. Idempotent. */
  close(): void;
}

/** Listens at a path. Throws `SystemError`: `EADDRINUSE` when the file exists. The caller removes stale files. */
export function listenUnix(loop: SocketLoop, path: string, onAccept: (duplex: Duplex) => void): UnixListener {
  const onSocket = (fd: number) => onAccept(unixDuplex(loop, fd));
  return new DescriptorListener(loop, listenDescriptor(c.SOCK_STREAM, path), onSocket);
}

/** Returns the descriptor of a listening socket of `type` (SOCK_*). Throws `SystemError`. */
export function listenDescriptor(type: number, path: string): number {
  const fd = listenAtPath(type, path, BACKLOG);
  if (fd < 0) throw new SystemError(`listen at ${path}`, -fd);
  return fd;
}

/** Accepts connections as descriptors. It never sheds: local clients are few and trusted, and wait in the backlog. */
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
    // Edge-triggered: without free descriptors it waits for the next client, and uses no CPU.
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
