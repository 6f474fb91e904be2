/**
 * A stream of an HBONE connection as a connection of its own: what TLS within a tunnel is spoken over
 * (`docs/spec/dataplane.md` 1.6).
 *
 * What comes is copied, since it is lent for the moment only, and its credit goes back as it is read: at most the
 * stream's window is held. A write takes what windows and gather buffer allow.
 *
 *     open ──close──▶ lingering ──the peer ends, or a second has passed: RST_STREAM(CANCEL)──▶ closed
 *       └────close(reset): RST_STREAM(CANCEL)───────────────────────────────────────────────────▲
 *
 * Its user is told at the end of the turn, never from inside of the connection that carries the stream.
 */
import type { Millis, Timer } from "../net/clock.ts";
import { ErrorCode, type H2Failure, type Stream, type StreamHandler } from "../h2/seam.ts";
import type { SocketAddress } from "../net/address.ts";
import { type Duplex, type DuplexSink, type Ending, FAILED, type Segments } from "../net/duplex.ts";
import { CLOSED } from "../net/endings.ts";
import type { TurnTask } from "../net/network.ts";
import { readPieces, writePieces } from "../net/piecewise.ts";
import { outerTunnelEnding } from "./failure.ts";
import type { Loop } from "../net/loop.ts";
import { PendingBytes } from "./pending_bytes.ts";

/** For the peer to end its side after ours. */
const LINGER: Millis = 1000;

export class StreamDuplex implements Duplex, StreamHandler, TurnTask {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly writeUnit = 1;
  readonly path = null;
  readonly #loop: Loop;
  readonly #stream: Stream;
  readonly #received: PendingBytes;
  #sink: DuplexSink | null = null;
  /** END_STREAM came; what was before it may be unread. */
  #peerEnded = false;
  #writeEnded = false;
  /** The stream is gone; what came before may be unread. */
  #reset: Ending | null = null;
  /** A write was not taken whole and `onWritable` has not been said since. */
  #starved = false;
  #roomMade = false;
  #closed = false;
  #linger: Timer | null = null;
  readable = false;
  ended = false;
  failure: Ending | null = null;

  /** `ends`: of the connection that carries the stream. Set it as the stream's handler before any data can come. */
  constructor(loop: Loop, stream: Stream, ends: { readonly local: SocketAddress; readonly remote: SocketAddress }) {
    this.#loop = loop;
    this.#stream = stream;
    this.#received = new PendingBytes(loop.blocks);
    this.local = ends.local;
    this.remote = ends.remote;
    stream.handler = this;
  }

  get broken(): boolean {
    return this.#reset !== null;
  }

  start(sink: DuplexSink): void {
    if (this.#closed) return;
    this.#sink = sink;
    if (this.#reset !== null) this.#tellSoon();
  }

  read(into: Uint8Array): number {
    if (this.#received.length === 0 && !this.#peerEnded) this.failure ??= this.#reset;
    if (this.failure !== null) return this.#failed();
    const count = this.#received.readInto(into);
    if (count > 0) this.#stream.release(count);
    const isEmpty = this.#received.length === 0;
    this.ended = isEmpty && this.#peerEnded;
    // Behind the last bytes of a stream that was reset, the next read says so.
    this.readable = !isEmpty || (this.#reset !== null && !this.#peerEnded);
    return count;
  }

  readScatter(into: Uint8Array, segments: Segments, count: number): number {
    return readPieces(this, into, segments, count);
  }

  write(bytes: Uint8Array): number {
    this.failure ??= this.#reset ?? (this.#writeEnded ? CLOSED : null);
    if (this.failure !== null) return this.#failed();
    let taken = 0;
    while (taken < bytes.length) {
      const room = this.#stream.reserve(bytes.length - taken, this.#loop.portions.gatherLimit);
      if (room === null) {
        this.#starved = true;
        break;
      }
      for (let i = 0; i < room.count; i++) {
        const start = room.segments[2 * i]!, length = room.segments[2 * i + 1]!;
        room.bytes.set(bytes.subarray(taken, taken + length), start);
        taken += length;
      }
      this.#stream.commit(room.total, false);
    }
    return taken;
  }

  writeGather(from: Uint8Array, segments: Segments, count: number): number {
    return writePieces(this, from, segments, count);
  }

  end(): void {
    if (this.#writeEnded || this.failure !== null || this.#reset !== null) return;
    this.#writeEnded = true;
    this.#stream.end();
  }

  close(reset = false): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#sink = null;
    this.readable = false;
    this.failure ??= CLOSED;
    this.#stream.release(this.#received.length);
    this.#received.clear();
    if (reset) return this.#stream.reset(ErrorCode.CANCEL);
    this.#stream.end();
    if (this.#stream.closed) return;
    this.#linger = this.#loop.network.after(LINGER, () => this.#stream.reset(ErrorCode.CANCEL));
  }

  onResponse(): void {}

  onData(bytes: Uint8Array, start: number, end: number): void {
    if (this.#closed) this.#stream.release(end - start);
    else this.#received.add(bytes, start, end);
  }

  onEnd(): void {
    this.#peerEnded = true;
    this.#linger?.cancel();
  }

  onFlush(): void {
    if (!this.#closed) this.#tellSoon();
  }

  onSendReady(): void {
    this.#roomMade = true;
    if (!this.#closed) this.#tellSoon();
  }

  onReset(failure: H2Failure): void {
    this.#linger?.cancel();
    if (this.#closed) return;
    this.#reset = outerTunnelEnding(failure);
    this.#tellSoon();
  }

  runTurn(): void {
    if (!this.readable && !this.ended && (this.#received.length > 0 || this.#peerEnded)) {
      this.readable = true;
      this.#sink?.onReadable();
    }
    if (this.#roomMade) {
      this.#roomMade = false;
      if (this.#starved) this.#tellOfRoom();
    }
    if (this.#reset !== null && this.failure === null && this.#received.length === 0) {
      this.#failed(this.#reset);
      this.#sink?.onFailure(this.#reset);
    }
  }

  #tellSoon(): void {
    this.#loop.network.atTurnEnd(this);
  }

  #tellOfRoom(): void {
    this.#starved = false;
    this.#sink?.onWritable();
  }

  #failed(ending: Ending | null = null): number {
    this.failure ??= ending;
    this.readable = false;
    return FAILED;
  }
}
