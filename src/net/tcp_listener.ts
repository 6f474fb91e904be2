/** A listening TCP socket. Survives running out of descriptors: it sheds, then pauses (`docs/spec/observed.md` O29). */
import type { Timer } from "./clock.ts";
import * as c from "../os/constants.ts";
import * as e from "../os/errno.ts";
import { errno, libc } from "../os/libc.ts";
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
import { ShedReport } from "./shed_report.ts";
import { decodeSockaddr, encodeSockaddr, familyOf, SOCKADDR_LENGTH } from "./sockaddr.ts";
import { setKeepalive } from "./late_keepalive.ts";
import { makeTcpSocket, setTransparent } from "./socket_options.ts";
import { TcpDuplex } from "./tcp_duplex.ts";

const ACCEPTS_PER_EVENT = 64;
const SHED_PER_PAUSE = 256;
const PAUSE_MS = 100;
const DEFAULT_BACKLOG = 4096;
/** For handshakes that are under way when a listener retires: some round trips, and much less than any grace period. */
const RETIREMENT_MS = 300;

/** accept(2) hands over errors of the connection that it was about to give; the next one may be fine. */
const PASSING: ReadonlySet<number> = new Set([
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
    const opened = openListener(at);
    this.#fd = opened.fd;
    this.transparent = opened.transparent;
    this.local = decodeSockaddr(socketName(opened.fd)!);
    this.#report = new ShedReport(loop, (count, code) => loop.events.onShed(count, this.local, code));
    // Level-triggered: what one turn leaves in the backlog is announced again.
    loop.watch(this.#fd, c.EPOLLIN, this);
  }

  /**
   * One connection where they come singly, so that no call is made only to hear that there is no other; more and more
   * of them in each event while events follow one another.
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
      if (!PASSING.has(error)) this.#shed(error);
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
   * The kernel resets what waits in the backlog of a listener that closes, and what completes its handshake later.
   *
   * Those who share the port stand in the order in which they came, and we, being the older, stand first: the place
   * behind our own listeners is that of our successor. Without one new connections come to us as before, until the end.
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
      this.#accept(new AcceptedTcp(duplex));
    } catch (error) {
      duplex.close(true);
      throw error;
    }
  }

  /** There are descriptors, but the runtime needs them. */
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
    // Level-triggered interest cannot be left on: the loop would spin on what it cannot take.
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
  constructor(readonly duplex: TcpDuplex) {}

  originalDestination(): SocketAddress | null {
    const name = originalDestination(this.duplex.fd);
    return name === null ? null : decodeSockaddr(name);
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
  // Shared ports have one of the two, as upstream: then nobody else can bind beside us.
  const sharing = at.reusePort ? c.SO_REUSEPORT : c.SO_REUSEADDR;
  if (!setOption(fd, c.SOL_SOCKET, sharing, 1)) refuse(errno());
  // Accepted sockets inherit these: five calls less for each connection.
  setOption(fd, c.SOL_TCP, c.TCP_NODELAY, 1);
  if (at.keepalive) setKeepalive(fd, at.keepalive);
  if (family === c.AF_INET6) setOption(fd, c.SOL_IPV6, c.IPV6_V6ONLY, at.dualStack === false ? 1 : 0);
  // The IPv4 option serves both families on a listener (dataplane 1.3).
  const transparent = at.transparent !== undefined && setTransparent(fd, c.AF_INET);
  if (at.transparent === "require" && !transparent) refuse(errno());
  const name = encodeSockaddr(at.address);
  if (libc.bind(fd, name, name.length) < 0) refuse(errno());
  if (libc.listen(fd, at.backlog ?? DEFAULT_BACKLOG) < 0) refuse(errno());
  // What an earlier process left to its successor: the places have changed.
  if (at.reusePort) stopSteering(fd);
  return { fd, transparent };
}

/** `failed to bind to address {address}: {reason}` (dataplane 1.1). */
export function listenError(at: { readonly address: SocketAddress }, error: number): ListenError {
  const text = `failed to bind to address ${formatAddress(at.address)}: ${e.errnoText(error)}`;
  return new ListenError(text, e.errnoName(error), at.address);
}
