/**
 * Makes a stream of an HBONE connection a {@link Duplex}: the inner TLS of a nested tunnel runs over it
 * (`docs/spec/dataplane.md` 1.6).
 *
 * Received bytes are copied, since they are valid until `onFlush` only. Their credit is returned as they are read, so
 * at most the stream's window is held. A write takes as many bytes as windows and output buffer allow.
 *
 *     open ──close──▶ lingering ──the peer ends, or a second has passed: RST_STREAM(CANCEL)──▶ closed
 *       └────close(reset): RST_STREAM(CANCEL)───────────────────────────────────────────────────▲
 *
 * The sink is called at the end of the turn, never from inside a call of the connection that carries the stream.
 */
import { ErrorCode, type H2Failure, type Stream, type StreamHandler } from "../h2/seam.ts";
import type { SocketAddress } from "../net/address.ts";
import type { Millis, Timer } from "../net/clock.ts";
import { type Duplex, type DuplexSink, type Ending, FAILED, type Segments } from "../net/duplex.ts";
import { CLOSED } from "../net/endings.ts";
import type { TurnTask } from "../net/network.ts";
import { readPieces, writePieces } from "../net/piecewise.ts";
import { outerTunnelEnding } from "./failure.ts";
import type { Loop } from "../net/loop.ts";
import { PendingBytes } from "./pending_bytes.ts";

/** Time for the peer to end its side after ours. */
const LINGER: Millis = 1000;

/**
 * Our direction of the stream:
 *
 * ```
 *  READY ──a write was not taken whole──▶ WAITING ──there is room──▶ NOTIFYING ──onWritable──▶ READY
 *    └──────────────────────────────────────┴──── `end` ─────────────────┴──▶ ENDED
 * ```
 */
enum Sending {
  READY,
  WAITING,
  /** `onWritable` will be called at the end of the turn. */
  NOTIFYING,
  ENDED,
}

/** The bytes of one stream as a duplex. */
export class StreamDuplex implements Duplex, StreamHandler, TurnTask {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly path = null;
  readonly #loop: Loop;
  readonly #stream: Stream;
  readonly #received: PendingBytes;
  #sink: DuplexSink | null = null;
  /** END_STREAM arrived; earlier bytes may be unread. */
  #peerEnded = false;
  #sending = Sending.READY;
  /** The stream was reset; earlier bytes may be unread. */
  #reset: Ending | null = null;
  #closed = false;
  #linger: Timer | null = null;
  readable = false;
  ended = false;
  failure: Ending | null = null;

  /** Becomes the handler of `stream`. `ends`: the addresses of the connection that carries it. */
  constructor(loop: Loop, stream: Stream, ends: { readonly local: SocketAddress; readonly remote: SocketAddress }) {
    this.#loop = loop;
    this.#stream = stream;
    this.#received = new PendingBytes(loop.blocks);
    this.local = ends.local;
    this.remote = ends.remote;
    stream.handler = this;
  }

  get writeUnit(): number {
    return this.#stream.payloadUnit;
  }

  get broken(): boolean {
    return this.#reset !== null;
  }

  start(sink: DuplexSink): void {
    if (this.#closed) return;
    this.#sink = sink;
    if (this.#reset !== null) this.#notifySoon();
  }

  read(into: Uint8Array): number {
    if (this.#received.length === 0 && !this.#peerEnded) this.failure ??= this.#reset;
    if (this.failure !== null) return this.#failed();
    const count = this.#received.readInto(into);
    if (count > 0) this.#stream.release(count);
    const isEmpty = this.#received.length === 0;
    this.ended = isEmpty && this.#peerEnded;
    // After the last bytes of a stream that was reset, the next read fails.
    this.readable = !isEmpty || (this.#reset !== null && !this.#peerEnded);
    return count;
  }

  readScatter(into: Uint8Array, segments: Segments, count: number): number {
    return readPieces(this, into, segments, count);
  }

  write(bytes: Uint8Array): number {
    this.failure ??= this.#reset ?? (this.#sending === Sending.ENDED ? CLOSED : null);
    if (this.failure !== null) return this.#failed();
    let taken = 0;
    while (taken < bytes.length) {
      const room = this.#stream.reserve(bytes.length - taken, this.#loop.portions.gatherLimit);
      if (room === null) {
        this.#sending = Sending.WAITING;
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
    if (this.#sending === Sending.ENDED || this.failure !== null || this.#reset !== null) return;
    this.#sending = Sending.ENDED;
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
    if (!this.#closed) this.#notifySoon();
  }

  onSendReady(): void {
    if (this.#closed || this.#sending !== Sending.WAITING) return;
    this.#sending = Sending.NOTIFYING;
    this.#notifySoon();
  }

  onReset(failure: H2Failure): void {
    this.#linger?.cancel();
    if (this.#closed) return;
    this.#reset = outerTunnelEnding(failure);
    this.#notifySoon();
  }

  runTurn(): void {
    if (!this.readable && !this.ended && (this.#received.length > 0 || this.#peerEnded)) {
      this.readable = true;
      this.#sink?.onReadable();
    }
    if (this.#sending === Sending.NOTIFYING) {
      this.#sending = Sending.READY;
      this.#sink?.onWritable();
    }
    if (this.#reset !== null && this.failure === null && this.#received.length === 0) {
      this.#failed(this.#reset);
      this.#sink?.onFailure(this.#reset);
    }
  }

  #notifySoon(): void {
    this.#loop.network.atTurnEnd(this);
  }

  #failed(ending: Ending | null = null): number {
    this.failure ??= ending;
    this.readable = false;
    return FAILED;
  }
}
