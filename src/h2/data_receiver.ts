/** Handles DATA frames: checks windows, removes padding, and hands payload to its stream in parts as it arrives. */
import { Closing } from "./closed_streams.ts";
import type { Core } from "./core.ts";
import { BREACH } from "./flow.ts";
import { FLAG_END_STREAM, FLAG_PADDED } from "./frame.ts";
import { ErrorCode } from "./seam.ts";
import type { OpenStream } from "./open_stream.ts";
import { mayReceive } from "./stream_state.ts";

/** Receives the DATA frames of one connection, one after the other. */
export class DataReceiver {
  readonly #core: Core;
  /** The stream that gets the payload; null: it is dropped. */
  #stream: OpenStream | null = null;
  #endStream = false;
  /** The pad length, first byte of a padded frame, has not arrived yet. */
  #padUnknown = false;
  #payloadLeft = 0;
  #paddingLeft = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  /** A DATA frame begins. False: the connection has ended. */
  begin(length: number, flags: number, streamId: number): boolean {
    const core = this.#core;
    if (!core.credit.window.take(length)) {
      return core.fail(ErrorCode.FLOW_CONTROL_ERROR, "DATA beyond the connection window");
    }
    this.#stream = null;
    this.#endStream = (flags & FLAG_END_STREAM) !== 0;
    this.#padUnknown = (flags & FLAG_PADDED) !== 0;
    this.#payloadLeft = length;
    this.#paddingLeft = 0;
    if (this.#padUnknown && length === 0) {
      return core.fail(ErrorCode.FRAME_SIZE_ERROR, "padded DATA frame without a pad length");
    }
    const stream = core.streams.get(streamId);
    if (stream === undefined) return this.#forNoOpenStream(streamId, length);
    if (!this.#admit(stream, length)) return !core.ended;
    this.#stream = stream;
    if (length > 0) return true;
    return this.#endStream ? this.#complete() : core.charge(core.budgets.emptyData);
  }

  /** Some bytes of the frame. False: the connection has ended. */
  part(bytes: Uint8Array, start: number, end: number): boolean {
    let at = start;
    if (this.#padUnknown) {
      if (!this.#readPadLength(bytes[at]!)) return false;
      at++;
    }
    const payload = Math.min(this.#payloadLeft, end - at);
    if (payload > 0) {
      this.#payloadLeft -= payload;
      this.#deliver(bytes, at, at + payload);
      at += payload;
    }
    this.#paddingLeft -= end - at;
    if (this.#payloadLeft > 0 || this.#paddingLeft > 0) return !this.#core.ended;
    return this.#complete();
  }

  /** Checks whether the stream may take this frame. False: the stream was reset, and the payload is dropped. */
  #admit(stream: OpenStream, length: number): boolean {
    const core = this.#core;
    if (!mayReceive(stream.state)) {
      core.streamError(stream.id, ErrorCode.STREAM_CLOSED, "DATA after END_STREAM");
      return false;
    }
    if (!stream.headersReceived) {
      core.streamError(stream.id, ErrorCode.PROTOCOL_ERROR, "DATA before HEADERS");
      return false;
    }
    if (!stream.receiveWindow.take(length)) {
      core.streamError(stream.id, ErrorCode.FLOW_CONTROL_ERROR, "DATA beyond the stream window");
      return false;
    }
    return true;
  }

  /** DATA for no open stream: its bytes are dropped, and their credit is returned as they arrive. */
  #forNoOpenStream(streamId: number, length: number): boolean {
    const core = this.#core;
    if (streamId > core.shutdown.sentLast && core.isServer) return core.charge(core.budgets.otherControl);
    if (core.isIdle(streamId)) return core.fail(ErrorCode.PROTOCOL_ERROR, "DATA on an idle stream");
    const closing = core.closed.get(streamId);
    switch (closing) {
      case Closing.RESET_BY_US:
        return this.#afterReset(streamId, length);
      case Closing.ENDED:
      case Closing.ENDED_AND_RESET: // RFC 9113 §5.1 "closed": after END_STREAM this is a connection error
        return core.fail(ErrorCode.STREAM_CLOSED, "DATA on an ended stream");
      case Closing.RESET_BY_PEER:
      case Closing.UNKNOWN: // perhaps one that we reset long ago, so this does not end the connection
        return core.streamError(streamId, ErrorCode.STREAM_CLOSED, "DATA on a closed stream");
      default:
        return closing satisfies never;
    }
  }

  /** DATA that was in flight when we reset the stream. It gets no more credit, so this cannot exceed its window. */
  #afterReset(streamId: number, length: number): boolean {
    const core = this.#core;
    if (!core.closed.take(streamId, length)) {
      return core.fail(ErrorCode.FLOW_CONTROL_ERROR, "DATA on a reset stream beyond its window");
    }
    return length > 0 || core.charge(core.budgets.emptyData);
  }

  #readPadLength(padding: number): boolean {
    const core = this.#core;
    this.#padUnknown = false;
    this.#payloadLeft--;
    if (padding > this.#payloadLeft) return core.fail(ErrorCode.PROTOCOL_ERROR, "padding longer than its DATA frame");
    this.#payloadLeft -= padding;
    this.#paddingLeft = padding;
    core.announceCredit(0, core.credit.discard(padding + 1));
    if (this.#stream !== null) this.#stream.returnCredit(padding + 1);
    if (this.#payloadLeft > 0 || this.#endStream) return true;
    return core.charge(core.budgets.emptyData);
  }

  #deliver(bytes: Uint8Array, start: number, end: number): void {
    const core = this.#core, stream = this.#stream, length = end - start;
    if (stream === null || stream.closed) {
      core.announceCredit(0, core.credit.discard(length));
      return;
    }
    if (stream.bodyLeft >= 0 && !this.#countBody(stream, length)) {
      core.announceCredit(0, core.credit.discard(length));
      return;
    }
    const increment = core.credit.deliver(length);
    if (increment === BREACH) {
      core.fail(
        ErrorCode.ENHANCE_YOUR_CALM,
        `applications have not taken ${core.credit.heldByPeer} bytes of this peer, above its share of the memory for that (HELD_BYTES_MAX)`,
      );
      return;
    }
    core.announceCredit(0, increment);
    stream.deliver(bytes, start, end);
  }

  /** RFC 9113 §8.1.1: a body of another length than content-length makes the request malformed. */
  #countBody(stream: OpenStream, length: number): boolean {
    stream.bodyLeft -= length;
    if (stream.bodyLeft >= 0) return true;
    this.#core.streamError(stream.id, ErrorCode.PROTOCOL_ERROR, "body longer than content-length");
    return false;
  }

  #complete(): boolean {
    const core = this.#core, stream = this.#stream;
    this.#stream = null;
    if (stream === null || stream.closed || !this.#endStream) return !core.ended;
    if (stream.bodyLeft > 0) {
      return core.streamError(stream.id, ErrorCode.PROTOCOL_ERROR, "body shorter than content-length");
    }
    stream.receiveEnd();
    return !core.ended;
  }
}
