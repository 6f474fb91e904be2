/** Writes the frames of one connection into its gather buffer. */
import {
  FLAG_ACK,
  FLAG_END_HEADERS,
  FLAG_END_STREAM,
  FRAME_HEADER,
  FrameType,
  PREFACE,
  putFrameHeader,
  putUint32,
} from "./frame.ts";
import { HpackEncoder, maxBlockLength } from "./hpack/encoder.ts";
import type { OutputBuffer } from "./output.ts";
import type { ErrorCode, HeaderList } from "./seam.ts";

/** Space for a header block, in bytes; nearly every request fits into it. */
const USUAL_BLOCK = 1024;
/** The smallest SETTINGS_MAX_FRAME_SIZE that a peer can set (RFC 9113 §6.5.2). */
const SMALLEST_FRAME_SIZE = 16_384;
/** Longest debug text in a GOAWAY of ours, in bytes. */
const MAX_DEBUG = 160;

/** Queues frames. A control frame that finds no room is dropped, and the owner of the buffer is notified. */
export class FrameWriter {
  readonly #out: OutputBuffer;
  readonly encoder = new HpackEncoder();

  constructor(out: OutputBuffer) {
    this.#out = out;
  }

  /** The first bytes of a client. */
  preface(): void {
    const at = this.#out.claim(PREFACE.length);
    if (at < 0) return;
    this.#out.bytes.set(PREFACE, at);
    this.#out.wrote(at + PREFACE.length);
  }

  settings(payload: Uint8Array): void {
    const at = this.#out.claim(FRAME_HEADER + payload.length);
    if (at < 0) return;
    const body = putFrameHeader(this.#out.bytes, at, payload.length, FrameType.SETTINGS, 0, 0);
    this.#out.bytes.set(payload, body);
    this.#out.wrote(body + payload.length);
  }

  settingsAck(): void {
    this.#empty(FrameType.SETTINGS, FLAG_ACK, 0);
  }

  /** An empty DATA frame with END_STREAM. */
  endStream(streamId: number): void {
    this.#empty(FrameType.DATA, FLAG_END_STREAM, streamId);
  }

  rstStream(streamId: number, code: ErrorCode): void {
    this.#word(FrameType.RST_STREAM, streamId, code);
  }

  windowUpdate(streamId: number, increment: number): void {
    this.#word(FrameType.WINDOW_UPDATE, streamId, increment);
  }

  /** `high` and `low`: the eight payload bytes as two numbers of 32 bits. */
  ping(high: number, low: number, ack: boolean): void {
    const at = this.#out.claim(FRAME_HEADER + 8);
    if (at < 0) return;
    const body = putFrameHeader(this.#out.bytes, at, 8, FrameType.PING, ack ? FLAG_ACK : 0, 0);
    putUint32(this.#out.bytes, body, high);
    putUint32(this.#out.bytes, body + 4, low);
    this.#out.wrote(body + 8);
  }

  /** Uses the room that is reserved for the last frame, so it is queued even when the peer does not read. */
  goAway(lastStreamId: number, code: ErrorCode, debug: string): void {
    const length = 8 + Math.min(debug.length, MAX_DEBUG);
    const at = this.#out.claimLast(FRAME_HEADER + length);
    if (at < 0) return;
    const bytes = this.#out.bytes;
    const body = putFrameHeader(bytes, at, length, FrameType.GOAWAY, 0, 0);
    putUint32(bytes, body, lastStreamId);
    putUint32(bytes, body + 4, code);
    for (let i = 8; i < length; i++) bytes[body + i] = debug.charCodeAt(i - 8);
    this.#out.wrote(body + length);
  }

  /**
   * One header block, in as many frames as the peer's frame size needs (RFC 9113 §4.3). `isResponse`: the peer has
   * caused it, so it counts against the limit of control frames.
   */
  headers(streamId: number, headers: HeaderList, endStream: boolean, maxFrameSize: number, isResponse: boolean): void {
    const blockEnd = this.#encode(headers);
    const bytes = this.#out.bytes, at = this.#out.end, body = at + FRAME_HEADER;
    const length = blockEnd - body;
    const continuations = Math.max(0, Math.ceil(length / maxFrameSize) - 1);
    const total = FRAME_HEADER * (1 + continuations) + length;
    if (blockEnd < 0 || total > (isResponse ? this.#out.controlRoom : this.#out.room)) return this.#out.overflow();
    spreadBlock(bytes, body, length, continuations, maxFrameSize, streamId);
    const flags = (endStream ? FLAG_END_STREAM : 0) | (continuations === 0 ? FLAG_END_HEADERS : 0);
    putFrameHeader(bytes, at, Math.min(length, maxFrameSize), FrameType.HEADERS, flags, streamId);
    this.#out.wrote(at + total, isResponse);
  }

  /** Writes the block behind the space for a frame header. Returns its end, or -1 when the buffer is too small. */
  #encode(headers: HeaderList): number {
    this.#out.open(USUAL_BLOCK);
    const end = this.encoder.encode(headers, this.#out.bytes, this.#out.end + FRAME_HEADER);
    if (end >= 0) return end;
    const longest = maxBlockLength(headers);
    this.#out.open(longest + FRAME_HEADER * (2 + Math.ceil(longest / SMALLEST_FRAME_SIZE)));
    return this.encoder.encode(headers, this.#out.bytes, this.#out.end + FRAME_HEADER);
  }

  /** A frame without payload. */
  #empty(type: FrameType, flags: number, streamId: number): void {
    const at = this.#out.claim(FRAME_HEADER);
    if (at < 0) return;
    this.#out.wrote(putFrameHeader(this.#out.bytes, at, 0, type, flags, streamId));
  }

  /** A frame with 32 bits of payload. */
  #word(type: FrameType, streamId: number, value: number): void {
    const at = this.#out.claim(FRAME_HEADER + 4);
    if (at < 0) return;
    const body = putFrameHeader(this.#out.bytes, at, 4, type, 0, streamId);
    putUint32(this.#out.bytes, body, value);
    this.#out.wrote(body + 4);
  }
}

/** Splits a block that was written in one piece into CONTINUATION frames: moves its parts, the last one first. */
function spreadBlock(
  bytes: Uint8Array,
  body: number,
  length: number,
  continuations: number,
  frameSize: number,
  streamId: number,
): void {
  for (let k = continuations; k > 0; k--) {
    const from = body + k * frameSize;
    const piece = Math.min(frameSize, length - k * frameSize);
    const to = from + k * FRAME_HEADER;
    bytes.copyWithin(to, from, from + piece);
    const flags = k === continuations ? FLAG_END_HEADERS : 0;
    putFrameHeader(bytes, to - FRAME_HEADER, piece, FrameType.CONTINUATION, flags, streamId);
  }
}
