/**
 * A connected TCP socket as a {@link Duplex}, on an edge-triggered epoll.
 *
 * System calls are most of the cost of a proxied request, so calls that bring nothing are left out
 * (`docs/spec/dataplane-speed.md` 3, 5): a read that returns less than it could means that nothing is left; after
 * EPOLLRDHUP it means the end of the stream; TCP_NODELAY is set on a dialled socket before its second write only.
 */
import * as c from "../os/constants.ts";
import { EAGAIN, EPIPE } from "../os/errno.ts";
import { readv, writev } from "../os/iovec.ts";
import { errno } from "../os/libc.ts";
import { libc } from "../os/libc_sockets.ts";
import { resetOnClose, setOption, socketName, takeSocketError } from "../os/socket.ts";
import { ANY_V4, type SocketAddress } from "./address.ts";
import { type Duplex, type DuplexSink, type Ending, FAILED, type Segments } from "./duplex.ts";
import { CLOSED, endAfterThrow, endingOf } from "./endings.ts";
import type { FdHandler, SocketLoop } from "./socket_loop.ts";
import type { Redirection } from "./redirection.ts";
import { closeWithReset } from "./reset_close.ts";
import { decodeSockaddr } from "./sockaddr.ts";

/** The events for which a connected socket is registered. */
export const STREAM_EVENTS = c.EPOLLIN | c.EPOLLOUT | c.EPOLLRDHUP | c.EPOLLPRI | c.EPOLLET;
const INCOMING = c.EPOLLIN | c.EPOLLRDHUP | c.EPOLLHUP | c.EPOLLERR | c.EPOLLPRI;

/** Readiness of a socket: an event makes it readable, a read that finds no more makes it drained. */
type Receiving = "drained" | "readable" | "ended";
/** Blocked: a write was not taken whole, and the user is notified when there is room. */
type Sending = "open" | "blocked" | "ended";

/**
 * A failure, or our `close`, is in `failure` and ends both directions. Otherwise they are independent:
 *
 *     receiving:  drained ◀──event, all was read──▶ readable ──the end was read──▶ ended
 *     sending:    open ◀──room, buffer is full──▶ blocked        both ──end()──▶ ended
 *     watching:   no ──start──▶ yes ──close, handOver──▶ released
 */
export class TcpDuplex implements Duplex, FdHandler {
  readonly remote: SocketAddress;
  readonly fd: number;
  readonly #loop: SocketLoop;
  #sink: DuplexSink | null = null;
  #local: SocketAddress | null = null;
  #watching: "no" | "yes" | "released";
  /** All EPOLL* flags that were reported so far. */
  #seen = 0;
  #receiving: Receiving = "drained";
  #sending: Sending = "open";
  /** Below zero: TCP_NODELAY is set already. */
  #writesUntilNoDelay: number;
  failure: Ending | null = null;
  /** Set for an accepted connection that was redirected to our listener. */
  redirection: Redirection | null = null;
  /** Set for a dialled connection whose source address is not one of this machine. */
  hasForeignSource = false;
  readonly writeUnit = 1;
  readonly path = null;

  /**
   * `dialled`: the flags of the event that reported the connection, when the loop watches the descriptor already; else
   * null. `local`: the local address where it is known, or where there is none, as for a Unix socket.
   */
  constructor(loop: SocketLoop, fd: number, remote: SocketAddress, dialled: number | null, local?: SocketAddress) {
    this.#loop = loop;
    this.fd = fd;
    this.remote = remote;
    this.#local = local ?? null;
    this.#watching = dialled === null ? "no" : "yes";
    this.#writesUntilNoDelay = dialled === null ? -1 : 1;
    if (dialled === null) return;
    // Handles events from now on, and not only from `start` on: what arrives in between is announced once only.
    loop.rewatch(fd, this);
    this.#note(dialled);
  }

  get local(): SocketAddress {
    if (this.#local === null) {
      const name = this.#watching === "released" ? null : socketName(this.fd);
      this.#local = name === null ? { ip: ANY_V4, port: 0 } : decodeSockaddr(name);
    }
    return this.#local;
  }

  get readable(): boolean {
    return this.#receiving === "readable";
  }

  get ended(): boolean {
    return this.#receiving === "ended";
  }

  get broken(): boolean {
    return (this.#seen & c.EPOLLERR) !== 0;
  }

  start(sink: DuplexSink): void {
    if (this.#watching === "released") return;
    this.#sink = sink;
    if (this.#watching === "yes") return;
    this.#watching = "yes";
    this.#loop.watch(this.fd, STREAM_EVENTS, this);
  }

  onEvents(flags: number): void {
    try {
      this.#handle(flags);
    } catch (error) {
      endAfterThrow(this, this.#sink, (ending) => this.failure = ending);
      throw error;
    }
  }

  #handle(flags: number): void {
    this.#note(flags);
    // Reading comes first: what arrived before a reset can still be read, and a write would find the reset.
    if (flags & INCOMING && this.failure === null) {
      if (this.#receiving !== "ended") this.#sink?.onReadable();
      else if (flags & c.EPOLLERR) this.#failNow();
    }
    if (!(flags & c.EPOLLOUT) || this.#sending !== "blocked" || this.failure !== null) return;
    this.#sending = "open";
    this.#sink?.onWritable();
  }

  read(into: Uint8Array): number {
    if (this.failure !== null) return FAILED;
    return this.#afterRead(libc.read(this.fd, into as Uint8Array<ArrayBuffer>, into.length), into.length);
  }

  readScatter(into: Uint8Array, segments: Segments, count: number): number {
    if (count === 1) return this.read(into.subarray(segments[0]!, segments[0]! + segments[1]!));
    if (this.failure !== null) return FAILED;
    let wanted = 0;
    for (let i = 0; i < count; i++) wanted += segments[2 * i + 1]!;
    return this.#afterRead(readv(this.fd, into, segments, count), wanted);
  }

  write(bytes: Uint8Array, last = false): number {
    if (this.failure !== null) return FAILED;
    const from = bytes as Uint8Array<ArrayBuffer>;
    if (this.#writesUntilNoDelay >= 0) this.#countWrite();
    const taken = last
      ? libc.send(this.fd, from, bytes.length, c.MSG_MORE | c.MSG_NOSIGNAL)
      : libc.write(this.fd, from, bytes.length);
    return this.#afterWrite(taken, bytes.length);
  }

  writeGather(from: Uint8Array, segments: Segments, count: number, last = false): number {
    if (count === 1) return this.write(from.subarray(segments[0]!, segments[0]! + segments[1]!), last);
    if (this.failure !== null) return FAILED;
    if (this.#writesUntilNoDelay >= 0) this.#countWrite();
    let offered = 0;
    for (let i = 0; i < count; i++) offered += segments[2 * i + 1]!;
    return this.#afterWrite(writev(this.fd, from, segments, count), offered);
  }

  end(): void {
    if (this.#watching === "released" || this.#sending === "ended") return;
    this.#sending = "ended";
    libc.shutdown(this.fd, c.SHUT_WR);
  }

  close(reset = false): void {
    if (this.#watching === "released") return;
    this.redirection?.closing(this.fd, this.remote, reset || this.failure !== null || this.broken);
    this.#release();
    if (reset && this.hasForeignSource) return closeWithReset(this.#loop, this.fd);
    if (reset) resetOnClose(this.fd);
    this.#loop.release(this.fd);
  }

  /**
   * Gives the descriptor to `to`: this object must not be used any more. True: `to` will be notified of what has
   * arrived already. False: it must check at once. Only for a stream that has not failed.
   */
  handOver(to: FdHandler): boolean {
    const isWatched = this.#watching === "yes";
    this.#release();
    if (isWatched) this.#loop.rewatch(this.fd, to);
    else this.#loop.watch(this.fd, STREAM_EVENTS, to);
    return !isWatched;
  }

  #release(): void {
    this.#watching = "released";
    this.failure ??= CLOSED;
    this.#sink = null;
    this.#noMoreNow();
  }

  #note(flags: number): void {
    this.#seen |= flags;
    if (flags & INCOMING && this.#receiving === "drained" && this.failure === null) this.#receiving = "readable";
  }

  #afterRead(count: number, wanted: number): number {
    if (count < 0) {
      const error = errno();
      this.#noMoreNow();
      return error === EAGAIN ? 0 : this.#failWith(error);
    }
    if (count === wanted && count > 0) return count;
    // A read stops short at the urgent mark, and before an error: once one was reported, a short read proves nothing.
    if (count > 0 && this.#seen & (c.EPOLLPRI | c.EPOLLERR)) return count;
    if (wanted === 0) return 0;
    this.#noMoreNow();
    if (count === 0 || this.#seen & (c.EPOLLRDHUP | c.EPOLLHUP)) this.#readToEnd();
    return count;
  }

  #noMoreNow(): void {
    if (this.#receiving === "readable") this.#receiving = "drained";
  }

  /** An RST right behind the FIN was reported in the same event, and is not reported again. */
  #readToEnd(): void {
    this.#receiving = "ended";
    if (this.broken) this.#loop.nextTurn({ runTurn: () => this.failure === null && this.#failNow() });
  }

  #afterWrite(count: number, offered: number): number {
    if (count === offered) return count;
    if (count < 0) {
      const error = errno();
      if (error !== EAGAIN) return this.#failWith(error);
      count = 0;
    }
    if (this.#sending === "open") this.#sending = "blocked";
    return count;
  }

  #countWrite(): void {
    if (this.#writesUntilNoDelay-- === 0) setOption(this.fd, c.SOL_TCP, c.TCP_NODELAY, 1);
  }

  #failNow(): void {
    const error = takeSocketError(this.fd) || EPIPE;
    this.#failWith(error);
    this.#sink?.onFailure(this.failure!);
  }

  #failWith(error: number): number {
    this.#noMoreNow();
    this.failure = endingOf(error);
    return FAILED;
  }
}
