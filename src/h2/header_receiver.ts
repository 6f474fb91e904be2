/** Handles HEADERS and CONTINUATION frames: assembles header blocks, decodes them, and applies them to their stream. */
import { Closing } from "./closed_streams.ts";
import type { Core } from "./core.ts";
import { FLAG_END_HEADERS, FLAG_END_STREAM, FLAG_PADDED, FLAG_PRIORITY, getUint31 } from "./frame.ts";
import { HpackDecoder, type HpackFault, isFault } from "./hpack/decoder.ts";
import { announcedLength, flawInRequest, flawInTrailers, statusOf } from "./message.ts";
import { ErrorCode, type HeaderList } from "./seam.ts";
import type { OpenStream } from "./open_stream.ts";
import { H2Stream } from "./stream.ts";
import { mayReceive } from "./stream_state.ts";
import { BLOCK_BYTES, Work } from "./work.ts";

/** Our SETTINGS_HEADER_TABLE_SIZE: the default, so it is not announced. */
const HEADER_TABLE_SIZE = 4096;

/** Receives the header blocks of one connection, which must not be interleaved (RFC 9113 §4.3). */
export class HeaderReceiver {
  readonly #core: Core;
  readonly #decoder: HpackDecoder;
  /** Stream of the block that needs CONTINUATION frames; 0: there is none. */
  openStream = 0;
  /** Bytes of that block so far. */
  openBytes = 0;
  #block: Uint8Array | null = null;
  #continuations = 0;
  #endStream = false;
  #dependsOnItself = false;

  constructor(core: Core) {
    this.#core = core;
    this.#decoder = new HpackDecoder({
      maxTableSize: HEADER_TABLE_SIZE,
      maxListSize: core.options.maxHeaderListSize,
    });
  }

  /** A HEADERS frame with its payload. False: the connection has ended. */
  headers(flags: number, streamId: number, bytes: Uint8Array, start: number, end: number): boolean {
    const core = this.#core;
    let from = start, to = end;
    const needed = (flags & FLAG_PADDED ? 1 : 0) + (flags & FLAG_PRIORITY ? 5 : 0);
    if (to - from < needed) return core.fail(ErrorCode.FRAME_SIZE_ERROR, "HEADERS frame too short for its flags");
    if (flags & FLAG_PADDED) to -= bytes[from++]!;
    this.#dependsOnItself = false;
    if (flags & FLAG_PRIORITY) {
      this.#dependsOnItself = getUint31(bytes, from) === streamId;
      from += 5;
    }
    if (to < from) return core.fail(ErrorCode.PROTOCOL_ERROR, "padding longer than its HEADERS frame");
    this.#endStream = (flags & FLAG_END_STREAM) !== 0;
    if (flags & FLAG_END_HEADERS) return this.#complete(streamId, bytes, from, to);
    this.openStream = streamId;
    this.#continuations = 0;
    this.openBytes = 0;
    this.#append(bytes, from, to);
    return true;
  }

  /** A CONTINUATION frame of the open block; its length was checked. False: the connection has ended. */
  continuation(flags: number, bytes: Uint8Array, start: number, end: number): boolean {
    const limit = this.#core.options.limits.continuationsPerBlock;
    if (++this.#continuations > limit) {
      return this.#core.fail(ErrorCode.ENHANCE_YOUR_CALM, `more than ${limit} CONTINUATION frames in a header block`);
    }
    this.#append(bytes, start, end);
    if (!(flags & FLAG_END_HEADERS)) return true;
    const block = this.#block!, streamId = this.openStream, length = this.openBytes;
    this.openStream = this.openBytes = 0;
    this.#block = null;
    return this.#complete(streamId, block, 0, length);
  }

  #append(bytes: Uint8Array, start: number, end: number): void {
    const needed = this.openBytes + end - start;
    if (this.#block === null || this.#block.length < needed) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.openBytes, 1024));
      if (this.#block !== null) larger.set(this.#block.subarray(0, this.openBytes));
      this.#block = larger;
    }
    this.#block.set(bytes.subarray(start, end), this.openBytes);
    this.openBytes = needed;
  }

  /** Decodes a whole block, also one that is then dropped: all streams share the dynamic table (RFC 9113 §4.3). */
  #complete(streamId: number, bytes: Uint8Array, start: number, end: number): boolean {
    const core = this.#core;
    const decoded = this.#decoder.decode(bytes, start, end);
    core.work += (end - start) / BLOCK_BYTES + Work.FIELD * this.#decoder.fields;
    if (isFault(decoded)) {
      if (decoded.fault === "compression") return core.fail(ErrorCode.COMPRESSION_ERROR, decoded.reason);
      if (decoded.fault === "budget") return core.fail(ErrorCode.ENHANCE_YOUR_CALM, decoded.reason);
    }
    const stream = core.streams.get(streamId);
    if (stream !== undefined) return this.#forStream(stream, decoded);
    if (!core.isIdle(streamId)) return this.#forClosed(streamId);
    return core.isServer
      ? this.#request(streamId, decoded)
      : core.fail(ErrorCode.PROTOCOL_ERROR, "HEADERS on an idle stream");
  }

  #forStream(stream: OpenStream, decoded: HeaderList | HpackFault): boolean {
    const core = this.#core;
    if (!mayReceive(stream.state)) {
      return core.streamError(stream.id, ErrorCode.STREAM_CLOSED, "HEADERS after END_STREAM");
    }
    const flaw = flawOf(decoded) ?? (this.#dependsOnItself ? "stream depends on itself" : null);
    if (flaw !== null) return core.streamError(stream.id, ErrorCode.PROTOCOL_ERROR, flaw);
    const headers = decoded as HeaderList;
    return stream.headersReceived ? this.#trailers(stream, headers) : this.#response(stream, headers);
  }

  #forClosed(streamId: number): boolean {
    const core = this.#core, closing = core.closed.get(streamId);
    switch (closing) {
      case Closing.RESET_BY_US:
        return core.charge(core.budgets.otherControl);
      case Closing.ENDED:
      case Closing.ENDED_AND_RESET: // RFC 9113 §5.1 "closed": after END_STREAM this is a connection error
        return core.fail(ErrorCode.STREAM_CLOSED, "HEADERS on an ended stream");
      case Closing.RESET_BY_PEER:
        return core.streamError(streamId, ErrorCode.STREAM_CLOSED, "HEADERS on a reset stream");
      case Closing.UNKNOWN:
        return core.fail(ErrorCode.PROTOCOL_ERROR, "stream id not above the last one");
      default:
        return closing satisfies never;
    }
  }

  /** Trailers are checked and dropped: a tunnel has no use for them. */
  #trailers(stream: OpenStream, headers: HeaderList): boolean {
    const core = this.#core;
    const flaw = this.#endStream ? flawInTrailers(headers) : "second HEADERS without END_STREAM";
    if (flaw !== null) return core.streamError(stream.id, ErrorCode.PROTOCOL_ERROR, flaw);
    if (stream.bodyLeft > 0) {
      return core.streamError(stream.id, ErrorCode.PROTOCOL_ERROR, "body shorter than content-length");
    }
    stream.receiveEnd();
    return !core.ended;
  }

  #response(stream: OpenStream, headers: HeaderList): boolean {
    const core = this.#core, status = statusOf(headers);
    if (typeof status === "string") return core.streamError(stream.id, ErrorCode.PROTOCOL_ERROR, status);
    if (status < 200) {
      // RFC 9113 §8.1: interim responses come before the final one and never end a stream; there is no 101 (§8.6).
      if (this.#endStream || status === 101) {
        return core.streamError(stream.id, ErrorCode.PROTOCOL_ERROR, "interim response with END_STREAM, or 101");
      }
      return core.charge(core.budgets.otherControl);
    }
    stream.headersReceived = true;
    stream.handler.onResponse(headers);
    if (this.#endStream && !stream.closed) stream.receiveEnd();
    return !core.ended;
  }

  #request(streamId: number, decoded: HeaderList | HpackFault): boolean {
    const core = this.#core;
    // RFC 9113 §6.8: above the last stream of our final GOAWAY, so the client may repeat the request elsewhere.
    if (streamId > core.shutdown.sentLast) return core.charge(core.budgets.otherControl);
    core.lastPeerId = streamId;
    const most = core.options.maxConcurrentStreams;
    if (most !== null && core.streams.size >= most) {
      return core.streamError(streamId, ErrorCode.REFUSED_STREAM, `more than ${most} concurrent streams`);
    }
    if (isFault(decoded) && decoded.fault === "too-large") return this.#refuseTooLarge(streamId);
    const flaw = flawOf(decoded) ?? (this.#dependsOnItself ? "stream depends on itself" : null) ??
      flawInRequest(decoded as HeaderList);
    if (flaw !== null) return core.streamError(streamId, ErrorCode.PROTOCOL_ERROR, flaw);
    const headers = decoded as HeaderList;
    const announced = announcedLength(headers);
    if (typeof announced === "string") return core.streamError(streamId, ErrorCode.PROTOCOL_ERROR, announced);
    if (announced > 0 && this.#endStream) {
      return core.streamError(streamId, ErrorCode.PROTOCOL_ERROR, "body shorter than content-length");
    }
    const stream = new H2Stream(core, streamId);
    core.work += Work.STREAM;
    core.streams.set(streamId, stream);
    stream.bodyLeft = announced;
    stream.headersReceived = true;
    const end = this.#endStream;
    if (end) stream.markRequestEnded();
    core.handler.onRequest(stream, headers, end);
    if (end && !stream.closed) stream.notifyEnd();
    return !core.ended;
  }

  /** Answers 431; the client's other streams go on. Charged like a stream error. */
  #refuseTooLarge(streamId: number): boolean {
    const core = this.#core;
    const stream = new H2Stream(core, streamId);
    core.work += Work.STREAM;
    core.streams.set(streamId, stream);
    if (this.#endStream) stream.markRequestEnded();
    stream.respond([[":status", "431"]], true);
    // The rest of the request is ignored (RFC 9113 §8.1).
    if (!stream.closed) stream.reset(ErrorCode.NO_ERROR);
    return core.charge(core.budgets.earlyResets);
  }
}

function flawOf(decoded: HeaderList | HpackFault): string | null {
  return isFault(decoded) ? decoded.reason : null;
}
