/** Connects to an address, with a time limit and optionally from a given source address (`docs/spec/dataplane.md` 1.3). */
import type { Millis, Timer } from "./clock.ts";
import * as c from "../os/constants.ts";
import { EADDRINUSE, EADDRNOTAVAIL, ECONNRESET, EINPROGRESS, errnoName } from "../os/errno.ts";
import { errno } from "../os/libc.ts";
import { libc } from "../os/libc_sockets.ts";
import { setOption, takeSocketError } from "../os/socket.ts";
import type { SocketAddress } from "./address.ts";
import type { Ending } from "./duplex.ts";
import { DIAL_TIMEOUT, endingOf } from "./endings.ts";
import type { Dial, DialEvents, DialOptions } from "./network.ts";
import type { FdHandler, SocketLoop } from "./socket_loop.ts";
import { encodeSockaddr, familyOf } from "./sockaddr.ts";
import { makeTcpSocket, setFreebind, setTransparent } from "./socket_options.ts";
import { STREAM_EVENTS, TcpDuplex } from "./tcp_duplex.ts";

/** ms. */
const DEFAULT_DIAL_TIMEOUT = 10_000;
/** How many ports are tried before the kernel chooses one. Each needs a socket of its own, of about 10 us. */
const PORT_ATTEMPTS = 4;

/**
 * A TCP socket until it is connected. Where the options say so, a socket that gets no answer is replaced by a fresh one:
 * the kernel sends SYNs at ever longer intervals, so an old socket would not notice for long that an address answers again.
 */
export class TcpDial implements Dial, FdHandler {
  readonly #loop: SocketLoop;
  readonly #to: SocketAddress;
  readonly #options: DialOptions;
  readonly #events: DialEvents;
  #timer: Timer | null = null;
  #fd = -1;
  #hasForeignSource = false;
  #done = false;

  constructor(loop: SocketLoop, to: SocketAddress, options: DialOptions, events: DialEvents) {
    this.#loop = loop;
    this.#to = to;
    this.#options = options;
    this.#events = events;
    this.#attempt(options.timeout ?? DEFAULT_DIAL_TIMEOUT);
  }

  onEvents(flags: number): void {
    if (this.#done) return;
    if (flags & (c.EPOLLERR | c.EPOLLHUP)) {
      this.#fail(endingOf(takeSocketError(this.#fd) || ECONNRESET));
      return;
    }
    if (!(flags & c.EPOLLOUT)) return;
    this.#done = true;
    this.#timer?.cancel();
    const stream = new TcpDuplex(this.#loop, this.#fd, this.#to, flags);
    stream.hasForeignSource = this.#hasForeignSource;
    this.#events.onConnect(stream);
  }

  abort(): void {
    if (this.#done) return;
    this.#done = true;
    this.#timer?.cancel();
    if (this.#fd >= 0) this.#loop.release(this.#fd);
  }

  /** Connects with a new socket. `left`: ms until the dial has failed. */
  #attempt(left: Millis): void {
    const failed = this.#begin(this.#options);
    if (failed !== 0) return this.#loop.nextTurn({ runTurn: () => this.#fail(endingOf(failed)) });
    const limit = Math.min(left, this.#options.attemptTimeout ?? left);
    this.#timer = this.#loop.after(limit, () => {
      if (limit === left) return this.#fail(DIAL_TIMEOUT);
      this.#loop.release(this.#fd);
      this.#fd = -1;
      this.#attempt(left - limit);
    });
  }

  /** Returns 0 or an errno. */
  #begin(options: DialOptions): number {
    const source = options.source !== undefined && options.source.ip !== this.#to.ip ? options.source : null;
    if (source === null || source.port !== 0 || !options.sourcePorts) return this.#connect(options, source);
    for (let attempts = 0; attempts < PORT_ATTEMPTS; attempts++) {
      const failed = this.#connect(options, { ip: source.ip, port: options.sourcePorts.choose() });
      if (failed !== EADDRINUSE && failed !== EADDRNOTAVAIL) return failed;
    }
    this.#loop.events.onSourcePortsInUse?.(source, this.#to);
    return this.#connect(options, source);
  }

  /**
   * Returns 0 or an errno: EADDRINUSE where a port of `sourcePorts` is one of a listener, EADDRNOTAVAIL where it has a
   * connection to this address.
   */
  #connect(options: DialOptions, source: SocketAddress | null): number {
    const family = familyOf(source?.ip ?? this.#to.ip);
    const fd = makeTcpSocket(family, options);
    if (fd < 0) return -fd;
    this.#hasForeignSource = source !== null && bindSource(fd, family, source);
    if (source !== null && !this.#hasForeignSource) {
      if (options.sourcePorts && errno() === EADDRINUSE) {
        libc.close(fd);
        return EADDRINUSE;
      }
      this.#loop.events.onSourceRefused?.(source, errnoName(errno()));
    }
    const name = encodeSockaddr(this.#to, family === c.AF_INET6 ? c.AF_INET6 : familyOf(this.#to.ip));
    if (libc.connect(fd, name, name.length) < 0 && errno() !== EINPROGRESS) {
      const failed = errno();
      libc.close(fd);
      return failed;
    }
    this.#fd = fd;
    this.#loop.watch(fd, STREAM_EVENTS, this);
    if (options.keepalive) this.#loop.keepalive.add(fd, options.keepalive);
    return 0;
  }

  #fail(ending: Ending): void {
    if (this.#done) return;
    this.abort();
    this.#events.onDialFailure(ending);
  }
}

/** Binds the source address. A failure is not fatal: the stream then has another `local`. False: errno says why. */
function bindSource(fd: number, family: number, source: SocketAddress): boolean {
  if (!setTransparent(fd, family) || !setFreebind(fd, family)) return false;
  // Both options take the port for this destination only. Otherwise one source could have 28,000 connections in all. With
  // the first one the kernel chooses the port when it connects. With the second one an application may listen on the port
  // meanwhile, if it also sets the option.
  if (source.port === 0) setOption(fd, c.SOL_IP, c.IP_BIND_ADDRESS_NO_PORT, 1);
  else setOption(fd, c.SOL_SOCKET, c.SO_REUSEADDR, 1);
  const name = encodeSockaddr(source, family);
  return libc.bind(fd, name, name.length) === 0;
}
