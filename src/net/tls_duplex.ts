/**
 * A TLS 1.3 session on a socket as a {@link Duplex}.
 *
 * Writes go through a buffer of one offload unit, the largest packet that the kernel cuts into whole segments. A read
 * fills the caller's memory with as many records as there are, and leaves out the last system call that would only say
 * "nothing" (`docs/spec/dataplane-speed.md` 2, 3).
 */
import type { Timer } from "./clock.ts";
import * as c from "../os/constants.ts";
import { resetOnClose, takeSocketError } from "../os/socket.ts";
import { BROKEN, CLOSED_BY_PEER, type NativeTlsSession, WOULD_BLOCK } from "../os/tls_native_session.ts";
import { EPIPE } from "../os/errno.ts";
import type { SocketAddress } from "./address.ts";
import { type Duplex, type DuplexSink, type Ending, FAILED, type Segments } from "./duplex.ts";
import { CLOSED, endAfterThrow, endingOf } from "./endings.ts";
import { closeAfterLastWords } from "./last_words.ts";
import type { NetworkPath } from "./network_path.ts";
import { readPieces, writePieces } from "./piecewise.ts";
import { RecordOverhead } from "./record_overhead.ts";
import { TcpPath } from "./tcp_path.ts";
import type { FdHandler, Leaving, SocketLoop } from "./socket_loop.ts";
import { FLOOD, streamEnding } from "./tls_endings.ts";

const RECORD = 16384;
/**
 * Records in one read. A record costs 3 us however little it carries, and a peer may send records of one byte. Sixteen
 * full records fill 256 KiB.
 */
const RECORDS_PER_READ = 32;
/** Below half of OpenSSL's read-ahead buffer a read cannot have been cut off by it. */
const SHORT_READ = 32768;
/** Header, content type and tag (RFC 8446 §5.2). */
const RECORD_OVERHEAD = 22;
/** ms that a closed stream has for what is still in its write buffer. */
const LINGER_MS = 10_000;

export interface TlsSocket {
  readonly fd: number;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
}

export class TlsDuplex implements Duplex, FdHandler, Leaving {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly #fd: number;
  readonly #loop: SocketLoop;
  readonly #session: NativeTlsSession;
  readonly writeUnit: number;
  readonly path: NetworkPath;
  #sink: DuplexSink | null = null;
  #peerIsDone = false;
  #unflushed = false;
  #wantsRoom = false;
  readonly #overhead = new RecordOverhead();
  #closed = false;
  /** Set while a closed stream waits for room to write the rest. */
  #lingering: Timer | null = null;
  /** True at first: the last flight of the handshake may have brought data with it. */
  readable = true;
  ended = false;
  broken = false;
  failure: Ending | null = null;

  /** `unit`: size of the write buffer. */
  constructor(loop: SocketLoop, session: NativeTlsSession, socket: TlsSocket, unit: number) {
    this.#loop = loop;
    this.#session = session;
    this.#fd = socket.fd;
    this.path = new TcpPath(socket.fd);
    this.local = socket.local;
    this.remote = socket.remote;
    this.writeUnit = unit - RECORD_OVERHEAD * Math.ceil(unit / (RECORD + RECORD_OVERHEAD));
    this.#unflushed = !session.flush();
    loop.rewatch(socket.fd, this);
  }

  start(sink: DuplexSink): void {
    if (!this.#closed) this.#sink = sink;
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
    if (this.#lingering !== null) return this.#linger(flags);
    if (flags & (c.EPOLLRDHUP | c.EPOLLHUP)) this.#peerIsDone = true;
    if (flags & c.EPOLLERR) this.broken = true;
    if (flags & c.EPOLLOUT) this.#makeRoom();
    if (this.failure !== null) return;
    if (flags & (c.EPOLLIN | c.EPOLLRDHUP | c.EPOLLHUP | c.EPOLLERR)) {
      if (this.ended && flags & c.EPOLLERR) this.#failNow(endingOf(takeSocketError(this.#fd) || EPIPE));
      else if (!this.ended) {
        this.readable = true;
        this.#sink?.onReadable();
      }
    }
  }

  read(into: Uint8Array): number {
    if (this.failure !== null) return FAILED;
    const session = this.#session;
    // Holding part of a record OpenSSL asks for just its rest: then a short read proves nothing.
    const clean = !session.hasPending() && !this.#peerIsDone;
    const before = session.bytesFromSocket();
    const now = this.#loop.now();
    let filled = 0;
    // Where records are left, `readable` stays true, and the next read happens after other sockets were served.
    for (let records = RECORDS_PER_READ; records > 0; records--) {
      const count = session.read(filled === 0 ? into : into.subarray(filled), now);
      if (count <= 0) {
        // Data comes first: the next read finds the session as broken as it is now.
        if (count !== BROKEN || filled === 0) this.#noMore(count);
        break;
      }
      filled += count;
      if (clean && !session.hasPending() && ((session.bytesFromSocket() - before) >>> 0) < SHORT_READ) {
        this.readable = false;
        break;
      }
      if (into.length - filled < RECORD) break;
    }
    if (!this.#overhead.allows((session.bytesFromSocket() - before) >>> 0, filled)) return this.#fail(FLOOD);
    return filled === 0 && this.failure !== null ? FAILED : filled;
  }

  readScatter(into: Uint8Array, segments: Segments, count: number): number {
    return readPieces(this, into, segments, count);
  }

  write(bytes: Uint8Array): number {
    if (this.failure !== null) return FAILED;
    if (bytes.length === 0) return 0;
    const taken = this.#session.write(bytes);
    if (taken === BROKEN) return this.#fail(streamEnding(this.#session.failure));
    if (taken === WOULD_BLOCK) {
      this.#unflushed = this.#wantsRoom = true;
      return 0;
    }
    this.#unflushed = !this.#session.flush();
    return taken;
  }

  writeGather(from: Uint8Array, segments: Segments, count: number): number {
    return writePieces(this, from, segments, count);
  }

  end(): void {
    if (this.failure === null) this.#unflushed = !this.#session.sendCloseNotify();
  }

  close(reset = false): void {
    if (this.#closed) return;
    const polite = !reset && this.failure === null;
    this.#closed = true;
    this.#sink = null;
    this.readable = false;
    this.failure ??= CLOSED;
    if (reset) resetOnClose(this.#fd);
    if (!polite) return this.closeNow();
    if (this.#session.sendCloseNotify() || this.#session.failure !== null) return this.#leave();
    // The kernel would go on by itself, but it has not got all of it yet.
    this.#lingering = this.#loop.after(LINGER_MS, () => this.closeNow());
    this.#loop.leaving.add(this);
  }

  closeNow(): void {
    this.#endLinger();
    this.#session.free();
    this.#loop.release(this.#fd);
  }

  #linger(flags: number): void {
    if (flags & (c.EPOLLERR | c.EPOLLHUP)) this.closeNow();
    else if (this.#session.flush() || this.#session.failure !== null) this.#leave();
  }

  /** All has been handed to the kernel. Unless the peer is done too, it may still be sending: see there. */
  #leave(): void {
    if (this.ended || this.#session.failure !== null) return this.closeNow();
    this.#endLinger();
    this.#session.free();
    closeAfterLastWords(this.#loop, this.#fd);
  }

  #endLinger(): void {
    this.#lingering?.cancel();
    this.#lingering = null;
    this.#loop.leaving.delete(this);
  }

  #makeRoom(): void {
    if (this.#unflushed) {
      this.#unflushed = !this.#session.flush();
      if (this.#session.failure !== null) return this.#failNow(streamEnding(this.#session.failure));
      if (this.#unflushed) return;
    }
    if (!this.#wantsRoom) return;
    this.#wantsRoom = false;
    this.#sink?.onWritable();
  }

  #noMore(result: number): void {
    this.readable = false;
    if (result === CLOSED_BY_PEER) this.#readToEnd();
    else if (result === BROKEN) this.failure = streamEnding(this.#session.failure);
  }

  /** RST right behind the end was announced together with it, and is announced once only. */
  #readToEnd(): void {
    this.ended = true;
    if (!this.broken) return;
    const fail = () => this.failure === null && this.#failNow(endingOf(takeSocketError(this.#fd) || EPIPE));
    this.#loop.nextTurn({ runTurn: fail });
  }

  #failNow(ending: Ending): void {
    this.#fail(ending);
    this.#sink?.onFailure(ending);
  }

  #fail(ending: Ending): number {
    this.readable = false;
    this.failure = ending;
    return FAILED;
  }
}
