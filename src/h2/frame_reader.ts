/**
 * Cuts received bytes into frames, in place.
 *
 * DATA payload is handed on in parts as it arrives; every other frame as a whole. What a pass leaves incomplete is
 * copied: at most eight bytes of a frame header, or one frame that the sink agreed to collect after it saw the header.
 */
import { FRAME_HEADER, FrameType, getUint24, getUint31, PREFACE } from "./frame.ts";

/** What to do with a frame, decided by its header. */
export enum Disposition {
  /** The connection is over: read no further. */
  STOP,
  /** Payload in parts, to `onDataPart`. */
  STREAM,
  /** The frame as a whole, to `onFrame`. The sink has bounded the length. */
  COLLECT,
  /** Payload is of no interest and kept nowhere. */
  SKIP,
}

export interface FrameSink {
  /** Asked between two frames: read no further for now. */
  readonly tired: boolean;
  /** The client's preface, or something else in its place. False: read no further. */
  onPreface(valid: boolean): boolean;
  onFrameHeader(length: number, type: FrameType, flags: number, streamId: number): Disposition;
  /** Some of the payload of a DATA frame, at least one byte. False: read no further. */
  onDataPart(bytes: Uint8Array, start: number, end: number): boolean;
  /** A frame other than DATA with its payload at `bytes[start, end)`. False: read no further. */
  onFrame(type: FrameType, flags: number, streamId: number, bytes: Uint8Array, start: number, end: number): boolean;
}

export class FrameReader {
  private prefaceLeft: number;
  private readonly header = new Uint8Array(FRAME_HEADER);
  private headerHave = 0;
  /** STOP stands for "between two frames" until the first frame header, and for the end after a stop. */
  private doing = Disposition.STOP;
  private between = true;
  private type = FrameType.DATA;
  private flags = 0;
  private streamId = 0;
  private length = 0;
  /** Payload bytes still to come. */
  private left = 0;
  /** Frames begun so far, counted at the first header byte: shows whether an incomplete frame is still the same one. */
  begun = 0;
  /** The part of a collected frame that came before this pass. */
  private carry: Uint8Array | null = null;

  constructor(private readonly sink: FrameSink, expectPreface: boolean) {
    this.prefaceLeft = expectPreface ? PREFACE.length : 0;
  }

  /** A frame header or a frame other than DATA has begun and is not complete. */
  get incomplete(): boolean {
    return this.headerHave > 0 || (!this.between && this.doing === Disposition.COLLECT);
  }

  /**
   * Reads `bytes[start, end)` to the end, unless the sink says stop, or is tired. Returns the offset behind what was
   * read: before `end` only where the sink is tired.
   */
  receive(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    if (this.prefaceLeft > 0) {
      at = this.readPreface(bytes, at, end);
      if (at < 0) return end;
    }
    for (;;) {
      if (this.between) {
        if (this.sink.tired) return at;
        at = this.readHeader(bytes, at, end);
        if (at < 0) return end;
      }
      const n = Math.min(this.left, end - at);
      if (n === 0 && this.left > 0) return end;
      if (!this.payload(bytes, at, n)) return end;
      at += n;
    }
  }

  /** Returns the offset behind the preface, or -1: incomplete or wrong. */
  private readPreface(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (this.prefaceLeft > 0 && at < end) {
      if (bytes[at] !== PREFACE[PREFACE.length - this.prefaceLeft]) {
        this.sink.onPreface(false);
        return -1;
      }
      at++;
      this.prefaceLeft--;
    }
    if (this.prefaceLeft > 0) return -1;
    return this.sink.onPreface(true) ? at : -1;
  }

  /** Returns the offset behind the frame header, or -1: incomplete, or the sink says stop. */
  private readHeader(bytes: Uint8Array, start: number, end: number): number {
    if (this.headerHave === 0 && start < end) this.begun++;
    if (this.headerHave === 0 && end - start >= FRAME_HEADER) {
      return this.begin(bytes, start) ? start + FRAME_HEADER : -1;
    }
    let at = start;
    while (this.headerHave < FRAME_HEADER && at < end) this.header[this.headerHave++] = bytes[at++]!;
    if (this.headerHave < FRAME_HEADER) return -1;
    this.headerHave = 0;
    return this.begin(this.header, 0) ? at : -1;
  }

  private begin(header: Uint8Array, at: number): boolean {
    this.length = this.left = getUint24(header, at);
    this.type = header[at + 3]!;
    this.flags = header[at + 4]!;
    this.streamId = getUint31(header, at + 5);
    this.doing = this.sink.onFrameHeader(this.length, this.type, this.flags, this.streamId);
    this.between = false;
    return this.doing !== Disposition.STOP;
  }

  /** Takes the next `n` bytes of payload, all that is left or all there is. False: the sink says stop. */
  private payload(bytes: Uint8Array, at: number, n: number): boolean {
    this.left -= n;
    this.between = this.left === 0;
    switch (this.doing) {
      case Disposition.STREAM:
        return n === 0 || this.sink.onDataPart(bytes, at, at + n);
      case Disposition.COLLECT:
        return this.collect(bytes, at, n);
      case Disposition.SKIP:
        return true;
      case Disposition.STOP:
        return false;
      default:
        return this.doing satisfies never;
    }
  }

  private collect(bytes: Uint8Array, at: number, n: number): boolean {
    if (n === this.length) return this.sink.onFrame(this.type, this.flags, this.streamId, bytes, at, at + n);
    const carry = this.carry ??= new Uint8Array(this.length);
    carry.set(bytes.subarray(at, at + n), this.length - this.left - n);
    if (this.left > 0) return true;
    this.carry = null;
    return this.sink.onFrame(this.type, this.flags, this.streamId, carry, 0, this.length);
  }
}
