/**
 * Copies between an application's socket and a CONNECT stream, both ways, until both ways have ended.
 *
 *     socket ──read──▶ [gather buffer of the connection] ──▶ stream        "up"
 *     socket ◀─write── [lent DATA, or pending bytes]     ◀── stream        "down"
 *
 * Up: payload is read directly behind the frame headers. Without room for frames the socket is not read: that is the
 * back-pressure.
 * Down: bytes that the socket does not take at once are copied. Credit for bytes returns to the peer when they are
 * written, so at most the stream's window is held.
 *
 * Endings (`docs/spec/dataplane.md` 2.6, 4): END_STREAM ↔ FIN. RST of the socket → RST_STREAM(CONNECT_ERROR) and back
 * (RFC 9113 §8.5). NO_ERROR and CANCEL are a clean end where the peer has sent END_STREAM before; without it they cut the
 * bytes off, and the application gets RST, so that it does not take them for all there is.
 */
import { ErrorCode, type H2Failure, type Stream, type StreamHandler } from "../h2/seam.ts";
import { describeReset, http2Cause, streamEndHow } from "../hbone/failure.ts";
import type { Loop } from "../net/loop.ts";
import { PendingBytes } from "../hbone/pending_bytes.ts";
import { READS_PER_TURN } from "../net/portions.ts";
import { MAX_PARTS } from "../os/iovec.ts";
import { type Duplex, type DuplexSink, type Ending, FAILED } from "../net/duplex.ts";
import type { TurnTask } from "../net/network.ts";
import type { Copy, CopyMeter, CopyOutcome, CopyOwner } from "./copy.ts";
import { socketFailure, streamFailure } from "./copy.ts";
import type { EndedBy, EndingCause } from "../telemetry/connection_ending.ts";

const NO_PARTS = new Int32Array(0);

/** One CONNECT stream that carries bytes of an application. */
export class Tunnel implements Copy, DuplexSink, StreamHandler, TurnTask {
  readonly #loop: Loop;
  readonly #socket: Duplex;
  readonly #stream: Stream;
  readonly #meter: CopyMeter;
  readonly #socketIsDownstream: boolean;
  readonly #owner: CopyOwner;
  #pending: PendingBytes | null = null;
  // Parts of the input buffer that are lent to this stream in this pass.
  #lent: Uint8Array | null = null;
  #parts: Int32Array = NO_PARTS;
  #partCount = 0;
  #upEnded = false;
  #downEnded = false;
  #peerEnded = false;
  #waitsForRoom = false;
  #done = false;
  /** The side that sent its end first. */
  #endedBy: EndedBy | null = null;
  /** What to report once the rest has been delivered. */
  #outcome: CopyOutcome = null;

  /** `socketIsDownstream`: the application opened the connection (outbound), else it serves it (inbound). */
  constructor(
    loop: Loop,
    socket: Duplex,
    stream: Stream,
    meter: CopyMeter,
    socketIsDownstream: boolean,
    owner: CopyOwner,
  ) {
    this.#loop = loop;
    this.#socket = socket;
    this.#stream = stream;
    this.#meter = meter;
    this.#socketIsDownstream = socketIsDownstream;
    this.#owner = owner;
  }

  /**
   * Takes over the socket and the stream. `early`: the bytes that the peer sent before the socket was connected;
   * `earlyEnd`: whether the peer has ended its side with them.
   */
  start(early: PendingBytes | null = null, earlyEnd = false): void {
    this.#socket.start(this);
    this.#stream.handler = this;
    this.#pending = early;
    if (earlyEnd) this.onEnd();
    if (early !== null || earlyEnd) this.onWritable();
    this.#pump();
  }

  get isHalfClosed(): boolean {
    return this.#upEnded || this.#peerEnded;
  }

  /** The peer's proxy resets its application for this code; CANCEL would be a clean end (RFC 9113 §8.5). */
  cut(): void {
    if (this.#done) return;
    this.#done = true;
    this.#stream.reset(ErrorCode.CONNECT_ERROR);
    this.#socket.close(true);
    this.#pending?.clear();
  }

  onReadable(): void {
    this.#pump();
  }

  runTurn(): void {
    this.#pump();
  }

  onSendReady(): void {
    this.#waitsForRoom = false;
    this.#loop.network.nextTurn(this);
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    if (this.#done) return;
    if (this.#partCount === MAX_PARTS) {
      this.#writeParts(false);
      if (this.#done) return;
    }
    if (this.#parts === NO_PARTS) this.#parts = this.#loop.parts.borrow();
    this.#lent = bytes;
    this.#parts[2 * this.#partCount] = start;
    this.#parts[2 * this.#partCount + 1] = end - start;
    this.#partCount++;
  }

  onResponse(): void {}

  onEnd(): void {
    this.#peerEnded = true;
    if (this.#endedBy !== null) return;
    this.#endedBy = this.#socketIsDownstream ? "server" : "client";
    this.#owner.onHalfClosed();
  }

  onFlush(): void {
    if (this.#partCount > 0) this.#writeParts(this.#peerEnded);
    if (this.#peerEnded && !this.#done) this.#endDownIfDrained();
  }

  onWritable(): void {
    if (this.#pending !== null && this.#pending.length > 0) {
      const taken = this.#pending.writeTo(this.#socket);
      if (taken === FAILED) return this.#socketFailed(this.#socket.failure!);
      this.#written(taken);
    }
    if (this.#peerEnded) this.#endDownIfDrained();
  }

  onFailure(ending: Ending): void {
    this.#socketFailed(ending);
  }

  onReset(failure: H2Failure): void {
    if (this.#done) return;
    const outcome = streamFailure(failure, describeReset(failure), this.#upEnded, this.#socketIsDownstream);
    const clean = this.#peerEnded && failure.by === "peer" &&
      (failure.code === ErrorCode.CANCEL || failure.code === ErrorCode.NO_ERROR);
    const held = this.#pending !== null && this.#pending.length > 0;
    // A server that has answered in full may refuse the rest of the request (RFC 9113 §8.1): the client may take its
    // time to read the answer. After a client's reset nothing is kept: no client reads the answer (observed.md O28).
    if (clean && held && this.#socketIsDownstream) {
      this.#upEnded = true;
      this.#outcome = outcome;
      return;
    }
    this.#socket.close(!clean || held);
    this.#finish(outcome, http2Cause(failure, this.#socketIsDownstream ? "server" : "client"));
  }

  /** Socket → stream. */
  #pump(): void {
    if (this.#done || this.#upEnded || this.#waitsForRoom || !this.#socket.readable) return;
    const { portions } = this.#loop;
    for (let reads = READS_PER_TURN; reads > 0; reads--) {
      const room = this.#stream.reserve(portions.readSize, portions.gatherLimit);
      if (room === null) {
        this.#waitsForRoom = true;
        return;
      }
      const count = this.#socket.readScatter(room.bytes, room.segments, room.count);
      if (count === FAILED) return this.#socketFailed(this.#socket.failure!);
      const ended = this.#socket.ended;
      if (count > 0 || ended) {
        this.#stream.commit(count, ended);
        // Later reads of a turn are the rest of a bulk read: their sizes do not show what the application sends.
        if (reads === READS_PER_TURN) portions.note(count);
        if (count > 0) this.#countUp(count);
      }
      if (ended) return this.#endUp();
      if (!this.#socket.readable) return;
    }
    this.#loop.network.nextTurn(this);
  }

  #countUp(count: number): void {
    if (this.#socketIsDownstream) this.#meter.addReceived(count);
    else this.#meter.addSent(count);
  }

  #endUp(): void {
    this.#upEnded = true;
    if (this.#downEnded) return this.#finish(null, { by: this.#endedBy!, how: "fin" });
    if (this.#endedBy !== null) return;
    this.#endedBy = this.#socketIsDownstream ? "client" : "server";
    this.#owner.onHalfClosed();
  }

  /** Stream → socket. `last`: nothing follows these parts, so that FIN can be sent with them. */
  #writeParts(last: boolean): void {
    const bytes = this.#lent!, parts = this.#parts, count = this.#partCount;
    this.#partCount = 0;
    this.#lent = null;
    this.#parts = NO_PARTS;
    let taken = 0;
    if (this.#pending === null || this.#pending.length === 0) {
      taken = this.#socket.writeGather(bytes, parts, count, last);
      if (taken === FAILED) {
        this.#loop.parts.giveBack(parts);
        return this.#socketFailed(this.#socket.failure!);
      }
      this.#written(taken);
    }
    for (let i = 0, skip = taken; i < count; i++) {
      const start = parts[2 * i]!, length = parts[2 * i + 1]!;
      if (skip < length) {
        (this.#pending ??= new PendingBytes(this.#loop.blocks)).add(bytes, start + skip, start + length);
      }
      skip = Math.max(0, skip - length);
    }
    this.#loop.parts.giveBack(parts);
  }

  #written(count: number): void {
    if (count <= 0) return;
    this.#stream.release(count);
    if (this.#socketIsDownstream) this.#meter.addSent(count);
    else this.#meter.addReceived(count);
  }

  #endDownIfDrained(): void {
    if (this.#downEnded || (this.#pending !== null && this.#pending.length > 0)) return;
    this.#downEnded = true;
    // Closing the socket sends FIN too, which saves a call.
    if (this.#upEnded) this.#finish(this.#outcome, { by: this.#endedBy!, how: "fin" });
    else this.#socket.end();
  }

  #socketFailed(ending: Ending): void {
    if (this.#done) return;
    this.#stream.reset(this.#codeFor(ending));
    const by = this.#socketIsDownstream ? "client" : "server";
    this.#finish(socketFailure(ending, this.#socketIsDownstream), { by, how: streamEndHow(ending) });
  }

  #codeFor(ending: Ending): ErrorCode {
    // A server that has answered in full may reset the rest of the request (RFC 9113 §8.1): the answer is complete.
    if (this.#upEnded && !this.#socketIsDownstream) return ErrorCode.NO_ERROR;
    return ending.how === "reset" ? ErrorCode.CONNECT_ERROR : ErrorCode.INTERNAL_ERROR;
  }

  #finish(outcome: CopyOutcome, cause: EndingCause): void {
    if (this.#done) return;
    this.#done = true;
    this.#socket.close();
    this.#pending?.clear();
    this.#owner.onCopied(outcome, cause);
  }
}
