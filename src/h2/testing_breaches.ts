/** For tests only: frames that end a connection whatever has happened on it before (RFC 9113). */
import { FrameType } from "./frame.ts";
import { ErrorCode } from "./seam.ts";
import { data, frame, rst, setting, settings, windowUpdate } from "./testing_frames.ts";

/** `idle`: an odd id that no stream has had. `nextId`: of the stream that the peer, if a client, would open next. */
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
