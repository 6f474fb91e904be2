/**
 * A connected TCP socket as a {@link Duplex}, on an edge-triggered epoll.
 *
 * System calls are what a proxied request costs, so the useless ones are left out (`docs/spec/dataplane-speed.md` 3, 5):
 * a read shorter than asked means drained; with EPOLLRDHUP seen it means end of stream; TCP_NODELAY on a dialled
 * socket only before its second write.
 */
import * as c from "../os/constants.ts";
import { EAGAIN, EPIPE } from "../os/errno.ts";
import { readv, writev } from "../os/iovec.ts";
import { errno, libc } from "../os/libc.ts";
import { resetOnClose, setOption, socketName, takeSocketError } from "../os/socket.ts";
import { ANY_V4, type SocketAddress } from "./address.ts";
import { type Duplex, type DuplexSink, type Ending, FAILED, type Segments } from "./duplex.ts";
import { CLOSED, endAfterThrow, endingOf } from "./endings.ts";
import type { FdHandler, SocketLoop } from "./socket_loop.ts";
import { decodeSockaddr } from "./sockaddr.ts";

/** Events a connected socket is registered for. */
export const STREAM_EVENTS = c.EPOLLIN | c.EPOLLOUT | c.EPOLLRDHUP | c.EPOLLPRI | c.EPOLLET;
const INCOMING = c.EPOLLIN | c.EPOLLRDHUP | c.EPOLLHUP | c.EPOLLERR | c.EPOLLPRI;

export class TcpDuplex implements Duplex, FdHandler {
  readonly remote: SocketAddress;
  readonly fd: number;
  readonly #loop: SocketLoop;
  #sink: DuplexSink | null = null;
  #local: SocketAddress | null = null;
  #watched: boolean;
  #peerIsDone = false;
  #shortReadSaysNothing = false;
  #wantsRoom = false;
  #writesUntilNoDelay: number;
  #writeEnded = false;
  #closed = false;
  readable = false;
  ended = false;
  broken = false;
  failure: Ending | null = null;
  readonly writeUnit = 1;
  readonly path = null;

  /**
   * `dialled`: already watched, with the flags of the event that told of the connection. `local`: where it is known
   * (or there is no such thing, as for a Unix socket).
   */
  constructor(loop: SocketLoop, fd: number, remote: SocketAddress, dialled: number | null, local?: SocketAddress) {
    this.#loop = loop;
    this.fd = fd;
    this.remote = remote;
    this.#local = local ?? null;
    this.#watched = dialled !== null;
    this.#writesUntilNoDelay = dialled === null ? -1 : 1;
    if (dialled === null) return;
    // From now on, not from `start` on: what arrives in between is announced once only.
    loop.rewatch(fd, this);
    this.#note(dialled);
  }

  get local(): SocketAddress {
    if (this.#local === null) {
      const name = this.#closed ? null : socketName(this.fd);
      this.#local = name === null ? { ip: ANY_V4, port: 0 } : decodeSockaddr(name);
    }
    return this.#local;
  }

  start(sink: DuplexSink): void {
    if (this.#closed) return;
    this.#sink = sink;
    if (this.#watched) return;
    this.#watched = true;
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
    // Reading first: what came before a reset is still to be had, and a write would find the reset.
    if (flags & INCOMING && this.failure === null) {
      if (this.ended && flags & c.EPOLLERR) this.#failNow();
      else if (!this.ended) this.#sink?.onReadable();
    }
    if (!(flags & c.EPOLLOUT) || !this.#wantsRoom || this.failure !== null) return;
    this.#wantsRoom = false;
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
    if (this.#closed || this.#writeEnded) return;
    this.#writeEnded = true;
    libc.shutdown(this.fd, c.SHUT_WR);
  }

  close(reset = false): void {
    if (this.#closed) return;
    this.#giveUp();
    if (reset) resetOnClose(this.fd);
    this.#loop.release(this.fd);
  }

  /**
   * The TLS session takes over the descriptor: this object must not be used again. Returns whether what is there
   * already will be announced; otherwise look at once. Only for a stream that has not failed.
   */
  handOver(to: FdHandler): boolean {
    this.#giveUp();
    if (this.#watched) this.#loop.rewatch(this.fd, to);
    else this.#loop.watch(this.fd, STREAM_EVENTS, to);
    return !this.#watched;
  }

  #giveUp(): void {
    this.#closed = true;
    this.failure ??= CLOSED;
    this.#sink = null;
    this.readable = false;
  }

  #note(flags: number): void {
    if (flags & INCOMING) this.readable = !this.ended && this.failure === null;
    if (flags & (c.EPOLLRDHUP | c.EPOLLHUP)) this.#peerIsDone = true;
    // A read stops short at the urgent mark, and before an error: from now on only the next result proves anything.
    if (flags & (c.EPOLLPRI | c.EPOLLERR)) this.#shortReadSaysNothing = true;
    if (flags & c.EPOLLERR) this.broken = true;
  }

  #afterRead(count: number, wanted: number): number {
    if (count < 0) {
      const error = errno();
      this.readable = false;
      return error === EAGAIN ? 0 : this.#failWith(error);
    }
    if (count === wanted && count > 0) return count;
    if (this.#shortReadSaysNothing && count > 0) return count;
    if (wanted === 0) return 0;
    this.readable = false;
    if (count === 0 || this.#peerIsDone) this.#readToEnd();
    return count;
  }

  /** RST right behind FIN was announced together with it, and is announced once only. */
  #readToEnd(): void {
    this.ended = true;
    if (this.broken) this.#loop.nextTurn({ runTurn: () => this.failure === null && this.#failNow() });
  }

  #afterWrite(count: number, offered: number): number {
    if (count === offered) return count;
    if (count < 0) {
      const error = errno();
      if (error !== EAGAIN) return this.#failWith(error);
      count = 0;
    }
    this.#wantsRoom = true;
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
    this.readable = false;
    this.failure = endingOf(error);
    return FAILED;
  }
}
