/**
 * A listening TCP socket. Survives running out of descriptors: a spare one is given up to accept and close what
 * waits (so clients see an end instead of hanging), then accepting pauses (`docs/spec/observed.md` O29).
 */
import * as c from "../os/constants.ts";
import { EAGAIN, ECONNABORTED, EINTR, EMFILE, ENFILE, errnoName, errnoText } from "../os/errno.ts";
import { errno, libc } from "../os/libc.ts";
import { accept, originalDestination, setOption, socketName } from "../os/socket.ts";
import { formatAddress, type SocketAddress } from "./address.ts";
import { type Accepted, type ListenAt, type Listener, ListenError } from "./network.ts";
import type { FdHandler, Reactor } from "./reactor.ts";
import { decodeSockaddr, encodeSockaddr, familyOf, SOCKADDR_LENGTH } from "./sockaddr.ts";
import { makeTcpSocket, setTransparent } from "./socket_options.ts";
import { TcpDuplex } from "./tcp_duplex.ts";

const ACCEPTS_PER_EVENT = 64;
const SHED_PER_PAUSE = 256;
const PAUSE_MS = 100;

export class TcpListener implements Listener, FdHandler {
  readonly local: SocketAddress;
  readonly transparent: boolean;
  readonly #reactor: Reactor;
  readonly #fd: number;
  readonly #accept: (accepted: Accepted) => void;
  readonly #peer = new Uint8Array(SOCKADDR_LENGTH);
  #spare = libc.dup(0);
  #paused = false;
  #closed = false;

  constructor(reactor: Reactor, at: ListenAt, accept: (accepted: Accepted) => void) {
    this.#reactor = reactor;
    this.#accept = accept;
    const opened = openListener(at);
    this.#fd = opened.fd;
    this.transparent = opened.transparent;
    this.local = decodeSockaddr(socketName(opened.fd)!);
    // Level-triggered: what one turn leaves in the backlog is announced again.
    reactor.watch(this.#fd, c.EPOLLIN, this);
  }

  onEvents(): void {
    for (let i = 0; i < ACCEPTS_PER_EVENT && !this.#closed && !this.#paused; i++) {
      const fd = accept(this.#fd, this.#peer);
      if (fd >= 0) {
        this.#accept(new AcceptedTcp(new TcpDuplex(this.#reactor, fd, decodeSockaddr(this.#peer), null)));
        continue;
      }
      const error = errno();
      if (error === EAGAIN) return;
      if (error !== ECONNABORTED && error !== EINTR) this.#shed(error);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reactor.release(this.#fd);
    if (this.#spare >= 0) libc.close(this.#spare);
  }

  #shed(error: number): void {
    let count = 0;
    if (error === EMFILE || error === ENFILE) {
      if (this.#spare >= 0) libc.close(this.#spare);
      for (let fd = accept(this.#fd, this.#peer); fd >= 0; fd = accept(this.#fd, this.#peer)) {
        libc.close(fd);
        if (++count >= SHED_PER_PAUSE) break;
      }
      this.#spare = libc.dup(0);
    }
    this.#reactor.events.onShed(count, this.local, errnoName(error));
    this.#pause();
  }

  /** Level-triggered interest cannot be left on: the loop would spin on what it cannot take. */
  #pause(): void {
    this.#paused = true;
    this.#reactor.suspend(this.#fd);
    this.#reactor.after(PAUSE_MS, () => {
      this.#paused = false;
      if (!this.#closed) this.#reactor.resume(this.#fd, c.EPOLLIN);
    });
  }
}

class AcceptedTcp implements Accepted {
  constructor(readonly duplex: TcpDuplex) {}

  originalDestination(): SocketAddress | null {
    const name = originalDestination(this.duplex.fd);
    return name === null ? null : decodeSockaddr(name);
  }
}

function openListener(at: ListenAt): { fd: number; transparent: boolean } {
  const family = familyOf(at.address.ip);
  const fd = makeTcpSocket(family, at);
  if (fd < 0) throw failure(at, -fd);
  setOption(fd, c.SOL_SOCKET, c.SO_REUSEADDR, 1);
  // Accepted sockets inherit it: one call less for each connection.
  setOption(fd, c.SOL_TCP, c.TCP_NODELAY, 1);
  if (family === c.AF_INET6) setOption(fd, c.SOL_IPV6, c.IPV6_V6ONLY, at.dualStack === false ? 1 : 0);
  const refuse = (error: number): never => {
    libc.close(fd);
    throw failure(at, error);
  };
  if (at.reusePort && !setOption(fd, c.SOL_SOCKET, c.SO_REUSEPORT, 1)) refuse(errno());
  // The IPv4 option serves both families on a listener (dataplane 1.3).
  const transparent = at.transparent !== undefined && setTransparent(fd, c.AF_INET);
  if (at.transparent === "require" && !transparent) refuse(errno());
  const name = encodeSockaddr(at.address);
  if (libc.bind(fd, name, name.length) < 0) refuse(errno());
  if (libc.listen(fd, at.backlog ?? 4096) < 0) refuse(errno());
  return { fd, transparent };
}

function failure(at: ListenAt, error: number): ListenError {
  const text = `failed to bind to address ${formatAddress(at.address)}: ${errnoText(error)}`;
  return new ListenError(text, errnoName(error), at.address);
}
