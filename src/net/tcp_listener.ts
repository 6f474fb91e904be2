/** A listening TCP socket. Survives running out of descriptors: it sheds, then pauses (`docs/spec/observed.md` O29). */
import type { Timer } from "./clock.ts";
import * as c from "../os/constants.ts";
import * as e from "../os/errno.ts";
import { errno } from "../os/libc.ts";
import { libc } from "../os/libc_sockets.ts";
import { isFromReserve } from "../os/limits.ts";
import {
  accept,
  getOption,
  namespaceCookie,
  originalDestination,
  setOption,
  socketName,
  steerNewConnections,
  stopSteering,
} from "../os/socket.ts";
import { formatAddress, type SocketAddress } from "./address.ts";
import { type Accepted, type ListenAt, type Listener, ListenError, type ListenerState } from "./network.ts";
import type { FdHandler, SocketLoop } from "./socket_loop.ts";
import { Redirection } from "./redirection.ts";
import { ShedReport } from "./shed_report.ts";
import { decodeSockaddr, encodeSockaddr, familyOf, SOCKADDR_LENGTH } from "./sockaddr.ts";
import { setKeepalive } from "./late_keepalive.ts";
import { makeTcpSocket, setTransparent } from "./socket_options.ts";
import { TcpDuplex } from "./tcp_duplex.ts";

const ACCEPTS_PER_EVENT = 64;
const SHED_PER_PAUSE = 256;
const PAUSE_MS = 100;
const DEFAULT_BACKLOG = 4096;
/** ms for handshakes that have begun when a listener retires: some round trips, and much less than any grace period. */
const RETIREMENT_MS = 300;

/** accept(2) reports errors of the connection that it would have returned. The next connection may be good. */
const ERRORS_OF_ONE_CONNECTION: ReadonlySet<number> = new Set([
  e.EINTR,
  e.ECONNABORTED,
  e.EPERM,
  e.EPROTO,
  e.ENOPROTOOPT,
  e.EOPNOTSUPP,
  e.ENETDOWN,
  e.ENETUNREACH,
  e.EHOSTDOWN,
  e.EHOSTUNREACH,
  e.ENONET,
]);

/** Accepts connections in batches. */
export class TcpListener implements Listener, FdHandler {
  readonly local: SocketAddress;
  readonly transparent: boolean;
  readonly #loop: SocketLoop;
  readonly #fd: number;
  readonly #accept: (accepted: Accepted) => void;
  readonly #peer = new Uint8Array(SOCKADDR_LENGTH);
  readonly #report: ShedReport;
  readonly #reusePort: boolean;
  readonly #siblings: number;
  readonly #namespace: number | undefined;
  #pause: Timer | null = null;
  #retirement: Timer | null = null;
  #closed = false;
  #batch = 1;
  #lastTurn = 0;

  constructor(loop: SocketLoop, at: ListenAt, accept: (accepted: Accepted) => void) {
    this.#loop = loop;
    this.#accept = accept;
    this.#reusePort = at.reusePort ?? false;
    this.#siblings = at.siblings ?? 1;
    this.#namespace = at.namespace;
    const opened = openListener(at);
    this.#fd = opened.fd;
    this.transparent = opened.transparent;
    this.local = decodeSockaddr(socketName(opened.fd)!);
    this.#report = new ShedReport(loop, (count, code) => loop.events.onShed(count, this.local, code));
    // Level-triggered: the next turn is notified of what this one leaves in the backlog.
    loop.watch(this.#fd, c.EPOLLIN, this);
  }

  /**
   * Accepts one connection when they arrive one by one, which saves the call that would return EAGAIN. While each turn has
   * an event, the number doubles.
   */
  onEvents(): void {
    const { turn } = this.#loop;
    this.#batch = turn - this.#lastTurn <= 1 ? Math.min(2 * this.#batch, ACCEPTS_PER_EVENT) : 1;
    this.#lastTurn = turn;
    for (let i = 0; i < this.#batch && !this.#closed && this.#pause === null; i++) {
      const fd = accept(this.#fd, this.#peer);
      if (fd >= 0) {
        if (isFromReserve(fd)) return this.#shedFromReserve(fd);
        this.#handOver(new TcpDuplex(this.#loop, fd, decodeSockaddr(this.#peer), null));
        continue;
      }
      const error = errno();
      if (error === e.EAGAIN) return;
      if (!ERRORS_OF_ONE_CONNECTION.has(error)) this.#shed(error);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#pause?.cancel();
    this.#retirement?.cancel();
    this.#report.close();
    this.#loop.release(this.#fd);
  }

  /**
   * When a listener closes, the kernel resets the connections in its backlog, and those whose handshake ends later.
   *
   * Listeners that share a port are ordered by the time at which they began to listen. Those of this process are older and
   * come first, so the one behind them belongs to the successor. Without a successor, new connections still arrive here.
   */
  retire(done: () => void): void {
    if (this.#closed) return;
    const close = () => {
      this.close();
      done();
    };
    if (!this.#reusePort) return close();
    steerNewConnections(this.#fd, this.#siblings);
    this.#retirement ??= this.#loop.after(RETIREMENT_MS, () => {
      try {
        this.#takeWaiting();
      } finally {
        close();
      }
    });
  }

  inspect(): ListenerState {
    const listening = !this.#closed && getOption(this.#fd, c.SOL_SOCKET, c.SO_ACCEPTCONN) === 1;
    return { listening, namespace: listening ? namespaceCookie(this.#fd) : null };
  }

  #takeWaiting(): void {
    for (let i = 0; i < DEFAULT_BACKLOG && this.#pause === null; i++) {
      const fd = accept(this.#fd, this.#peer);
      if (fd < 0) return;
      if (isFromReserve(fd)) return void libc.close(fd);
      this.#handOver(new TcpDuplex(this.#loop, fd, decodeSockaddr(this.#peer), null));
    }
  }

  #handOver(duplex: TcpDuplex): void {
    try {
      this.#accept(new AcceptedTcp(this.#loop, duplex, this.local.port, this.#namespace));
    } catch (error) {
      duplex.close(true);
      throw error;
    }
  }

  /** There are descriptors, but they are reserved for the runtime. */
  #shedFromReserve(fd: number): void {
    libc.close(fd);
    this.#pauseAfter(1 + this.#closeWaiting(), e.EMFILE);
  }

  #shed(error: number): void {
    let count = 0;
    if (error === e.EMFILE || error === e.ENFILE) this.#loop.spare.lend(() => count = this.#closeWaiting());
    this.#pauseAfter(count, error);
  }

  #pauseAfter(count: number, error: number): void {
    this.#report.add(count, e.errnoName(error));
    // Otherwise the level-triggered event would come in each turn, for connections that cannot be accepted.
    this.#loop.suspend(this.#fd);
    this.#pause = this.#loop.after(PAUSE_MS, () => {
      this.#pause = null;
      this.#loop.resume(this.#fd, c.EPOLLIN);
    });
  }

  #closeWaiting(): number {
    for (let count = 0; count < SHED_PER_PAUSE; count++) {
      const fd = accept(this.#fd, this.#peer);
      if (fd < 0) return count;
      libc.close(fd);
    }
    return SHED_PER_PAUSE;
  }
}

class AcceptedTcp implements Accepted {
  readonly duplex: TcpDuplex;
  readonly #loop: SocketLoop;
  /** Port of the listener. */
  readonly #port: number;
  readonly #namespace: number | undefined;

  constructor(loop: SocketLoop, duplex: TcpDuplex, port: number, namespace: number | undefined) {
    this.duplex = duplex;
    this.#loop = loop;
    this.#port = port;
    this.#namespace = namespace;
  }

  originalDestination(): SocketAddress | null {
    const name = originalDestination(this.duplex.fd);
    if (name === null) return null;
    const destination = decodeSockaddr(name);
    // A tracked connection that was not redirected has the listener's own address here.
    if (destination.port !== this.#port) {
      this.duplex.redirection = new Redirection(this.#loop, destination, this.#namespace);
    }
    return destination;
  }
}

function openListener(at: ListenAt): { fd: number; transparent: boolean } {
  const family = familyOf(at.address.ip);
  const fd = makeTcpSocket(family, at);
  if (fd < 0) throw listenError(at, -fd);
  const refuse = (error: number): never => {
    libc.close(fd);
    throw listenError(at, error);
  };
  // As upstream: a shared port has only SO_REUSEPORT, so that other users cannot bind to it.
  const sharing = at.reusePort ? c.SO_REUSEPORT : c.SO_REUSEADDR;
  if (!setOption(fd, c.SOL_SOCKET, sharing, 1)) refuse(errno());
  // Accepted sockets inherit these options: this saves five calls for each connection.
  setOption(fd, c.SOL_TCP, c.TCP_NODELAY, 1);
  if (at.keepalive) setKeepalive(fd, at.keepalive);
  if (family === c.AF_INET6) setOption(fd, c.SOL_IPV6, c.IPV6_V6ONLY, at.dualStack === false ? 1 : 0);
  // The IPv4 option serves both families on a listener (`docs/spec/dataplane.md` 1.3).
  const transparent = at.transparent !== undefined && setTransparent(fd, c.AF_INET);
  if (at.transparent === "require" && !transparent) refuse(errno());
  const name = encodeSockaddr(at.address);
  if (libc.bind(fd, name, name.length) < 0) refuse(errno());
  if (libc.listen(fd, at.backlog ?? DEFAULT_BACKLOG) < 0) refuse(errno());
  // Steering by an earlier process refers to an order that has changed.
  if (at.reusePort) stopSteering(fd);
  return { fd, transparent };
}

/** The error of a failed listen: `failed to bind to address {address}: {reason}` (`docs/spec/dataplane.md` 1.1). */
export function listenError(at: { readonly address: SocketAddress }, error: number): ListenError {
  const text = `failed to bind to address ${formatAddress(at.address)}: ${e.errnoText(error)}`;
  return new ListenError(text, e.errnoName(error), at.address);
}
