/**
 * A TLS session on a socket as a {@link Duplex}.
 *
 * Writes leave in offload units, the largest packets that the kernel divides into whole segments. A read fills the
 * caller's memory with as many records as there are, and leaves out the last system call, which would only return EAGAIN
 * (`docs/spec/dataplane-speed.md` 2, 3).
 */
import type { Timer } from "./clock.ts";
import * as c from "../os/constants.ts";
import { resetOnClose, takeSocketError } from "../os/socket.ts";
import { EPIPE } from "../os/errno.ts";
import type { SocketAddress } from "./address.ts";
import { type Duplex, type DuplexSink, type Ending, FAILED, type Segments } from "./duplex.ts";
import { CLOSED, endAfterThrow, endingOf } from "./endings.ts";
import { closeLingering } from "./lingering_close.ts";
import type { NetworkPath } from "./network_path.ts";
import { readPieces, writePieces } from "./piecewise.ts";
import { dataOf } from "./record_limits.ts";
import { RecordOverhead } from "./record_overhead.ts";
import { TcpPath } from "./tcp_path.ts";
import type { FdHandler, LingeringSocket, SocketLoop } from "./socket_loop.ts";
import { BROKEN, type TlsSession } from "./tls_session.ts";
import { FLOOD, streamEnding } from "./tls_endings.ts";

/** Once one of these was reported, a read that returns less than it could proves nothing. */
const SHORT_READS_LIE = c.EPOLLRDHUP | c.EPOLLHUP | c.EPOLLERR | c.EPOLLPRI;
/** ms in which a closed stream may write the rest of its write buffer. */
const LINGER_MS = 10_000;

/** The socket of a session. */
interface TlsSocket {
  readonly fd: number;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
}

type Receiving = "drained" | "readable" | "ended";
/**
 * Unflushed: the write buffer has bytes that the socket has not taken. Blocked: a write was refused as well, and the
 * user is notified when there is room.
 */
type Sending = "flushed" | "unflushed" | "blocked";

/**
 * A failure, or our `close`, is in `failure` and ends both directions. Otherwise they are independent:
 *
 *     receiving:  drained ◀──event, all was read──▶ readable ──close_notify was read──▶ ended
 *     sending:    flushed ◀──room, socket is full──▶ unflushed ──write──▶ blocked ──room──▶ flushed
 *     life:       open ──close──▶ lingering, until close_notify is written ──▶ closed
 */
export class TlsDuplex implements Duplex, FdHandler, LingeringSocket {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly #fd: number;
  readonly #loop: SocketLoop;
  readonly #session: TlsSession;
  readonly writeUnit: number;
  readonly path: NetworkPath;
  #sink: DuplexSink | null = null;
  /** All EPOLL* flags that were reported so far. */
  #seen = 0;
  /** Readable at first: the last message of the handshake may have brought data with it. */
  #receiving: Receiving = "readable";
  #sending: Sending = "flushed";
  #life: "open" | "lingering" | "closed" = "open";
  #lingerTimer: Timer | null = null;
  readonly #overhead = new RecordOverhead();
  failure: Ending | null = null;

  /** `unit`: bytes of records that leave in one write. */
  constructor(loop: SocketLoop, session: TlsSession, socket: TlsSocket, unit: number) {
    this.#loop = loop;
    this.#session = session;
    this.#fd = socket.fd;
    this.path = new TcpPath(socket.fd);
    this.local = socket.local;
    this.remote = socket.remote;
    this.writeUnit = dataOf(unit);
    this.#noteFlush(session.isFlushed);
    loop.rewatch(socket.fd, this);
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
    if (this.#life === "open") this.#sink = sink;
  }

  onEvents(flags: number): void {
    try {
      this.#handle(flags);
    } catch (error) {
      endAfterThrow(this, this.#sink, (ending) => this.#fail(ending));
      throw error;
    }
  }

  #handle(flags: number): void {
    if (this.#life === "lingering") return this.#linger(flags);
    this.#seen |= flags;
    if (this.failure !== null) return;
    if (flags & c.EPOLLOUT && this.#sending !== "flushed") this.#flushMore();
    // The flush may have failed, and the user may have closed the stream.
    if (this.failure !== null) return;
    if (flags & (c.EPOLLIN | c.EPOLLRDHUP | c.EPOLLHUP | c.EPOLLERR)) {
      if (this.#receiving !== "ended") {
        this.#receiving = "readable";
        this.#sink?.onReadable();
      } else if (flags & c.EPOLLERR) this.#failNow(endingOf(takeSocketError(this.#fd) || EPIPE));
    }
  }

  read(into: Uint8Array): number {
    if (this.failure !== null) return FAILED;
    const session = this.#session;
    const count = session.read(into, this.#loop.now(), (this.#seen & SHORT_READS_LIE) === 0);
    if (count === BROKEN) return this.#fail(streamEnding(session.failure));
    if (session.remainder !== "more") {
      this.#noMoreNow();
      if (session.remainder === "end") this.#readToEnd();
    }
    return this.#overhead.allows(session.wireBytes, count) ? count : this.#fail(FLOOD);
  }

  readScatter(into: Uint8Array, segments: Segments, count: number): number {
    return readPieces(this, into, segments, count);
  }

  write(bytes: Uint8Array): number {
    if (this.failure !== null) return FAILED;
    if (bytes.length === 0) return 0;
    const taken = this.#session.write(bytes);
    if (taken === BROKEN) return this.#fail(streamEnding(this.#session.failure));
    if (taken < bytes.length) this.#sending = "blocked";
    else this.#noteFlush(this.#session.isFlushed);
    return taken;
  }

  writeGather(from: Uint8Array, segments: Segments, count: number): number {
    return writePieces(this, from, segments, count);
  }

  end(): void {
    if (this.failure === null) this.#noteFlush(this.#session.sendCloseNotify());
  }

  close(reset = false): void {
    if (this.#life !== "open") return;
    const polite = !reset && this.failure === null;
    this.#life = "closed";
    this.#sink = null;
    this.#noMoreNow();
    this.failure ??= CLOSED;
    if (reset) resetOnClose(this.#fd);
    if (!polite) return this.closeNow();
    if (this.#session.sendCloseNotify() || this.#session.failure !== null) return this.#closeLingering();
    // The kernel would send by itself what it has, but it has not taken everything yet.
    this.#life = "lingering";
    this.#lingerTimer = this.#loop.after(LINGER_MS, () => this.closeNow());
    this.#loop.lingering.add(this);
  }

  closeNow(): void {
    this.#endLinger();
    this.#session.free();
    this.#loop.release(this.#fd);
  }

  #linger(flags: number): void {
    if (flags & (c.EPOLLERR | c.EPOLLHUP)) this.closeNow();
    else if (this.#session.flush() || this.#session.failure !== null) this.#closeLingering();
  }

  /** The kernel has everything. The peer may still be sending, unless it has ended, too: see `lingering_close.ts`. */
  #closeLingering(): void {
    if (this.#receiving === "ended" || this.#session.failure !== null) return this.closeNow();
    this.#endLinger();
    this.#session.free();
    closeLingering(this.#loop, this.#fd);
  }

  #endLinger(): void {
    if (this.#life !== "lingering") return;
    this.#life = "closed";
    this.#lingerTimer?.cancel();
    this.#loop.lingering.delete(this);
  }

  /** `flushed`: the session's write buffer is empty. */
  #noteFlush(flushed: boolean): void {
    if (this.#sending !== "blocked") this.#sending = flushed ? "flushed" : "unflushed";
  }

  /** The socket has room again. */
  #flushMore(): void {
    const flushed = this.#session.flush();
    if (this.#session.failure !== null) return this.#failNow(streamEnding(this.#session.failure));
    if (!flushed) return;
    const wasBlocked = this.#sending === "blocked";
    this.#sending = "flushed";
    if (wasBlocked) this.#sink?.onWritable();
  }

  #noMoreNow(): void {
    if (this.#receiving === "readable") this.#receiving = "drained";
  }

  /** An RST right behind the end was reported in the same event, and is not reported again. */
  #readToEnd(): void {
    this.#receiving = "ended";
    if (!this.broken) return;
    const fail = () => this.failure === null && this.#failNow(endingOf(takeSocketError(this.#fd) || EPIPE));
    this.#loop.nextTurn({ runTurn: fail });
  }

  #failNow(ending: Ending): void {
    this.#fail(ending);
    this.#sink?.onFailure(ending);
  }

  #fail(ending: Ending): number {
    this.#noMoreNow();
    this.failure = ending;
    return FAILED;
  }
}
