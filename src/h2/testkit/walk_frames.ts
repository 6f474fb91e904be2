/** For tests only: correct and wrong frames for `walk.ts`. */
import { FrameType } from "../frame.ts";
import { ErrorCode } from "../seam.ts";
import { data, frame, ping, rst, setting, settings, windowUpdate } from "./frames.ts";

/**
 * Frames that end a connection in every state, with the error code (RFC 9113). `idle`: an odd id that no stream has
 * had. `nextId`: the id of the stream that the peer, if it is a client, would open next.
 */
export function breachesOf(idle: number, nextId: number): readonly (readonly [Uint8Array, ErrorCode])[] {
  const { PROTOCOL_ERROR, FRAME_SIZE_ERROR, COMPRESSION_ERROR } = ErrorCode;
  return [
    [data(idle, [1]), PROTOCOL_ERROR],
    [rst(idle), PROTOCOL_ERROR],
    [windowUpdate(idle, 1), PROTOCOL_ERROR],
    [data(0, [1]), PROTOCOL_ERROR],
    [data(idle + 1, [1]), PROTOCOL_ERROR],
    [frame(FrameType.HEADERS, 4, 0, [0x82]), PROTOCOL_ERROR],
    [frame(FrameType.HEADERS, 4, 2, [0x82]), PROTOCOL_ERROR],
    [frame(FrameType.PUSH_PROMISE, 4, 1, [0, 0, 0, 2]), PROTOCOL_ERROR],
    [frame(FrameType.CONTINUATION, 4, 1, [0x82]), PROTOCOL_ERROR],
    [frame(FrameType.PING, 0, 0, [1]), FRAME_SIZE_ERROR],
    [frame(FrameType.PING, 0, 1, new Array(8).fill(0)), PROTOCOL_ERROR],
    [frame(FrameType.SETTINGS, 0, 0, [1]), FRAME_SIZE_ERROR],
    [frame(FrameType.SETTINGS, 1, 0, setting(1, 1)), FRAME_SIZE_ERROR],
    [frame(FrameType.SETTINGS, 0, 1), PROTOCOL_ERROR],
    [frame(FrameType.RST_STREAM, 0, 1, [1]), FRAME_SIZE_ERROR],
    [frame(FrameType.WINDOW_UPDATE, 0, 0, [1]), FRAME_SIZE_ERROR],
    [frame(FrameType.GOAWAY, 0, 0, [1]), FRAME_SIZE_ERROR],
    [settings(setting(2, 2)), PROTOCOL_ERROR],
    [frame(FrameType.HEADERS, 4, nextId, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), COMPRESSION_ERROR],
    [frame(FrameType.HEADERS, 4 | 8, nextId, [9, 0x82]), PROTOCOL_ERROR],
  ];
}

/** A header block in one frame, or in two with padding, depending on `n`. */
export function blockFrames(id: number, block: Uint8Array, n: number, end: boolean): Uint8Array[] {
  const flags = end ? 1 : 0;
  if (n % 3 !== 0) return [frame(FrameType.HEADERS, flags | 4, id, block)];
  const half = n % block.length, padded = [2, ...block.subarray(0, half), 0, 0];
  return [
    frame(FrameType.HEADERS, flags | 8, id, padded),
    frame(FrameType.CONTINUATION, 4, id, block.subarray(half)),
  ];
}

/** Frames that change nothing. */
export function noise(n: number): Uint8Array[] {
  const priority = frame(FrameType.PRIORITY, 0, 1 + 2 * (n % 50), [0, 0, 0, 0, 0]);
  return [ping(), ping(true), frame(0xfa, n & 255, n, [1, 2, 3]), priority];
}
