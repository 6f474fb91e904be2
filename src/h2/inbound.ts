/** Checks which received frames are allowed when, and passes each one to its receiver. */
import type { ControlReceiver } from "./control_receiver.ts";
import { type Core, Phase } from "./core.ts";
import type { DataReceiver } from "./data_receiver.ts";
import { FLAG_ACK, FrameType } from "./frame.ts";
import { Disposition, type FrameSink } from "./frame_reader.ts";
import type { HeaderReceiver } from "./header_receiver.ts";
import { ErrorCode } from "./seam.ts";
import { MAX_SETTINGS, SETTING_BYTES } from "./settings.ts";
import { Work } from "./work.ts";

/** Longest GOAWAY that is accepted, in bytes: with 4096 bytes of debug data. */
const MAX_GOAWAY = 8 + 4096;

/** The frames that one connection receives. */
export class Inbound implements FrameSink {
  readonly #core: Core;
  readonly #data: DataReceiver;
  readonly #blocks: HeaderReceiver;
  readonly #control: ControlReceiver;
  constructor(
    core: Core,
    data: DataReceiver,
    blocks: HeaderReceiver,
    control: ControlReceiver,
  ) {
    this.#core = core;
    this.#data = data;
    this.#blocks = blocks;
    this.#control = control;
  }

  onPreface(valid: boolean): boolean {
    if (!valid) return this.#core.fail(ErrorCode.PROTOCOL_ERROR, "no HTTP/2 connection preface");
    this.#core.phase = Phase.AWAITING_SETTINGS;
    return true;
  }

  onDataPart(bytes: Uint8Array, start: number, end: number): boolean {
    return this.#data.part(bytes, start, end);
  }

  get isOverWorkBudget(): boolean {
    return this.#core.isOverWorkBudget;
  }

  onFrameHeader(length: number, type: FrameType, flags: number, streamId: number): Disposition {
    const core = this.#core;
    core.work += Work.FRAME;
    if (length > core.options.maxFrameSize) return this.#refuse(ErrorCode.FRAME_SIZE_ERROR, "frame above our limit");
    const open = this.#blocks.openStream;
    if (open !== 0 && (type !== FrameType.CONTINUATION || streamId !== open)) {
      return this.#refuse(ErrorCode.PROTOCOL_ERROR, "frame inside an unfinished header block");
    }
    if (core.phase !== Phase.OPEN && (type !== FrameType.SETTINGS || (flags & FLAG_ACK) !== 0)) {
      return this.#refuse(ErrorCode.PROTOCOL_ERROR, "first frame is not SETTINGS");
    }
    switch (type) {
      case FrameType.DATA:
        if (streamId === 0) return this.#refuse(ErrorCode.PROTOCOL_ERROR, "DATA on stream 0");
        return this.#data.begin(length, flags, streamId) ? Disposition.STREAM : Disposition.STOP;
      case FrameType.HEADERS:
      case FrameType.CONTINUATION:
        return this.#headerBlockFrame(length, type, streamId);
      case FrameType.PRIORITY:
        return this.#priority(length, streamId);
      case FrameType.RST_STREAM:
        if (streamId === 0) return this.#refuse(ErrorCode.PROTOCOL_ERROR, "RST_STREAM on stream 0");
        return this.#requireLength(length, 4);
      case FrameType.WINDOW_UPDATE:
        return this.#requireLength(length, 4);
      case FrameType.PING:
        return streamId === 0
          ? this.#requireLength(length, 8)
          : this.#refuse(ErrorCode.PROTOCOL_ERROR, "PING on a stream");
      case FrameType.SETTINGS:
        return this.#settings(length, flags, streamId);
      case FrameType.GOAWAY:
        return this.#goAway(length, streamId);
      case FrameType.PUSH_PROMISE:
        return this.#refuse(ErrorCode.PROTOCOL_ERROR, "PUSH_PROMISE");
      default:
        // Frames of unknown types are ignored (RFC 9113 §5.5), but processing them takes time.
        void (type satisfies never);
        return core.charge(core.budgets.otherControl) ? Disposition.SKIP : Disposition.STOP;
    }
  }

  onFrame(type: FrameType, flags: number, streamId: number, bytes: Uint8Array, start: number, end: number): boolean {
    return this.#dispatch(type, flags, streamId, bytes, start, end) && this.#core.applyPendingFailure();
  }

  #dispatch(
    type: FrameType,
    flags: number,
    streamId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    switch (type) {
      case FrameType.HEADERS:
        return this.#blocks.headers(flags, streamId, bytes, start, end);
      case FrameType.CONTINUATION:
        return this.#blocks.continuation(flags, bytes, start, end);
      case FrameType.PRIORITY:
        return this.#control.priority(streamId, bytes, start);
      case FrameType.RST_STREAM:
        return this.#control.reset(streamId, bytes, start);
      case FrameType.WINDOW_UPDATE:
        return this.#control.windowUpdate(streamId, bytes, start);
      case FrameType.PING:
        return this.#control.ping(flags, bytes, start);
      case FrameType.SETTINGS:
        return this.#control.settings(flags, bytes, start, end);
      case FrameType.GOAWAY:
        return this.#control.goAway(bytes, start, end);
      case FrameType.DATA:
      case FrameType.PUSH_PROMISE:
        throw new Error(`Frame type ${type} is never collected`);
      default:
        return type satisfies never;
    }
  }

  #refuse(code: ErrorCode, reason: string): Disposition {
    this.#core.fail(code, reason);
    return Disposition.STOP;
  }

  #requireLength(length: number, wanted: number): Disposition {
    return length === wanted ? Disposition.COLLECT : this.#refuse(ErrorCode.FRAME_SIZE_ERROR, "frame of a wrong size");
  }

  #headerBlockFrame(length: number, type: FrameType, streamId: number): Disposition {
    const core = this.#core, blocks = this.#blocks;
    if (streamId === 0) return this.#refuse(ErrorCode.PROTOCOL_ERROR, "HEADERS or CONTINUATION on stream 0");
    if (type === FrameType.CONTINUATION && blocks.openStream === 0) {
      return this.#refuse(ErrorCode.PROTOCOL_ERROR, "CONTINUATION without HEADERS");
    }
    if (core.isServer && (streamId & 1) === 0) {
      return this.#refuse(ErrorCode.PROTOCOL_ERROR, "HEADERS on a stream that is not the client's");
    }
    const limit = core.options.limits.headerBlockBytes;
    if (blocks.openBytes + length > limit) {
      return this.#refuse(ErrorCode.ENHANCE_YOUR_CALM, `header block above ${limit} bytes`);
    }
    return Disposition.COLLECT;
  }

  /** RFC 9113 §6.3: PRIORITY may come at any time, and a wrong length is a stream error. */
  #priority(length: number, streamId: number): Disposition {
    const core = this.#core;
    if (streamId === 0) return this.#refuse(ErrorCode.PROTOCOL_ERROR, "PRIORITY on stream 0");
    if (!core.charge(core.budgets.otherControl)) return Disposition.STOP;
    if (length === 5) return Disposition.COLLECT;
    return this.#control.streamOrConnectionError(streamId, ErrorCode.FRAME_SIZE_ERROR, "PRIORITY of a wrong size")
      ? Disposition.SKIP
      : Disposition.STOP;
  }

  #settings(length: number, flags: number, streamId: number): Disposition {
    if (streamId !== 0) return this.#refuse(ErrorCode.PROTOCOL_ERROR, "SETTINGS on a stream");
    if (flags & FLAG_ACK) return this.#requireLength(length, 0);
    if (length % SETTING_BYTES !== 0) return this.#refuse(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS of a wrong size");
    if (length <= MAX_SETTINGS * SETTING_BYTES) return Disposition.COLLECT;
    return this.#refuse(ErrorCode.ENHANCE_YOUR_CALM, `more than ${MAX_SETTINGS} parameters in SETTINGS`);
  }

  #goAway(length: number, streamId: number): Disposition {
    if (streamId !== 0) return this.#refuse(ErrorCode.PROTOCOL_ERROR, "GOAWAY on a stream");
    if (length < 8) return this.#refuse(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY of a wrong size");
    if (length <= MAX_GOAWAY) return Disposition.COLLECT;
    return this.#refuse(ErrorCode.ENHANCE_YOUR_CALM, `GOAWAY above ${MAX_GOAWAY} bytes`);
  }
}
