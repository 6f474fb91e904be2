/**
 * Cuts received bytes into frames, in place.
 *
 * DATA payload is handed on in parts as it arrives, every other frame as a whole. Where a pass ends inside a frame
 * header or inside a frame that the sink has chosen to collect, the bytes so far are copied.
 */
import { FRAME_HEADER, FrameType, getUint24, getUint31, PREFACE } from "./frame.ts";

/** What to do with a frame; the sink decides by its header. */
export enum Disposition {
  /** The connection has ended: read no further. */
  STOP,
  /** Hand the payload to `onDataPart` in parts. */
  STREAM,
  /** Hand the whole frame to `onFrame`. The sink has checked that its length is bounded. */
  COLLECT,
  /** Drop the payload. */
  SKIP,
}

/** Receives the frames that {@link FrameReader} has found. */
export interface FrameSink {
  /** Read between two frames. True: read no further in this pass. */
  readonly isOverWorkBudget: boolean;
  /** The client's preface, or (`valid` is false) other bytes in its place. Returns false: read no further. */
  onPreface(valid: boolean): boolean;
  /** A frame begins. */
  onFrameHeader(length: number, type: FrameType, flags: number, streamId: number): Disposition;
  /** A part of a DATA frame's payload, at least one byte. Returns false: read no further. */
  onDataPart(bytes: Uint8Array, start: number, end: number): boolean;
  /** A whole frame with its payload at `bytes[start, end)`. Returns false: read no further. */
  onFrame(type: FrameType, flags: number, streamId: number, bytes: Uint8Array, start: number, end: number): boolean;
}

/** Reads the frames of one connection. */
export class FrameReader {
  readonly #sink: FrameSink;
  #prefaceLeft: number;
  /** A frame header that has arrived in parts; null: none has. */
  #header: Uint8Array | null = null;
  #headerHave = 0;
  /** Of the current frame; STOP before the first frame and after the sink has stopped the reader. */
  #disposition = Disposition.STOP;
  #isBetweenFrames = true;
  #type = FrameType.DATA;
  #flags = 0;
  #streamId = 0;
  #length = 0;
  /** Payload bytes that have not arrived. */
  #left = 0;
  /**
   * Number of frames begun, counted at the first header byte: shows whether an incomplete frame is still the same one.
   */
  begun = 0;
  /** The part of a collected frame that arrived before this pass. */
  #carry: Uint8Array | null = null;

  constructor(sink: FrameSink, expectPreface: boolean) {
    this.#sink = sink;
    this.#prefaceLeft = expectPreface ? PREFACE.length : 0;
  }

  /** A frame header or a frame other than DATA has begun and is not complete. */
  get incomplete(): boolean {
    return this.#headerHave > 0 || (!this.#isBetweenFrames && this.#disposition === Disposition.COLLECT);
  }

  /**
   * Reads `bytes[start, end)`. Returns the offset behind what was read: `end`, also where the sink has stopped the
   * reader; less where `isOverWorkBudget` was set between two frames.
   */
  receive(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    if (this.#prefaceLeft > 0) {
      at = this.#readPreface(bytes, at, end);
      if (at < 0) return end;
    }
    for (;;) {
      if (this.#isBetweenFrames) {
        if (this.#sink.isOverWorkBudget) return at;
        at = this.#readHeader(bytes, at, end);
        if (at < 0) return end;
      }
      const n = Math.min(this.#left, end - at);
      if (n === 0 && this.#left > 0) return end;
      if (!this.#payload(bytes, at, n)) return end;
      at += n;
    }
  }

  /** Returns the offset behind the preface, or -1: it is incomplete or wrong. */
  #readPreface(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (this.#prefaceLeft > 0 && at < end) {
      if (bytes[at] !== PREFACE[PREFACE.length - this.#prefaceLeft]) {
        this.#sink.onPreface(false);
        return -1;
      }
      at++;
      this.#prefaceLeft--;
    }
    if (this.#prefaceLeft > 0) return -1;
    return this.#sink.onPreface(true) ? at : -1;
  }

  /** Returns the offset behind the frame header, or -1: it is incomplete, or the sink has stopped the reader. */
  #readHeader(bytes: Uint8Array, start: number, end: number): number {
    if (this.#headerHave === 0 && start < end) this.begun++;
    if (this.#headerHave === 0 && end - start >= FRAME_HEADER) {
      return this.#begin(bytes, start) ? start + FRAME_HEADER : -1;
    }
    let at = start;
    if (at === end) return -1;
    const header = this.#header ??= new Uint8Array(FRAME_HEADER);
    while (this.#headerHave < FRAME_HEADER && at < end) header[this.#headerHave++] = bytes[at++]!;
    if (this.#headerHave < FRAME_HEADER) return -1;
    this.#headerHave = 0;
    return this.#begin(header, 0) ? at : -1;
  }

  #begin(header: Uint8Array, at: number): boolean {
    this.#length = this.#left = getUint24(header, at);
    this.#type = header[at + 3]!;
    this.#flags = header[at + 4]!;
    this.#streamId = getUint31(header, at + 5);
    this.#disposition = this.#sink.onFrameHeader(this.#length, this.#type, this.#flags, this.#streamId);
    this.#isBetweenFrames = false;
    return this.#disposition !== Disposition.STOP;
  }

  /** Takes the next `n` bytes of payload: all that is left of it or all that has arrived. False: the sink stops. */
  #payload(bytes: Uint8Array, at: number, n: number): boolean {
    this.#left -= n;
    this.#isBetweenFrames = this.#left === 0;
    switch (this.#disposition) {
      case Disposition.STREAM:
        return n === 0 || this.#sink.onDataPart(bytes, at, at + n);
      case Disposition.COLLECT:
        return this.#collect(bytes, at, n);
      case Disposition.SKIP:
        return true;
      case Disposition.STOP:
        return false;
      default:
        return this.#disposition satisfies never;
    }
  }

  #collect(bytes: Uint8Array, at: number, n: number): boolean {
    if (n === this.#length) return this.#sink.onFrame(this.#type, this.#flags, this.#streamId, bytes, at, at + n);
    const carry = this.#carry ??= new Uint8Array(this.#length);
    carry.set(bytes.subarray(at, at + n), this.#length - this.#left - n);
    if (this.#left > 0) return true;
    this.#carry = null;
    return this.#sink.onFrame(this.#type, this.#flags, this.#streamId, carry, 0, this.#length);
  }
}
