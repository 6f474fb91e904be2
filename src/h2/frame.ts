/**
 * Frames as bytes: the nine-byte header and the small frames of fixed shape (RFC 9113 §4.1, §6).
 *
 * Plain functions over `Uint8Array`: no `DataView`, no object per frame.
 */

/** Length of a frame header. */
export const FRAME_HEADER = 9;
/** RFC 9113 §4.2: the frame size that every endpoint accepts, and the limit until SETTINGS raises it. */
export const MIN_FRAME_SIZE = 16_384;
export const MAX_FRAME_SIZE = 16_777_215;
export const MAX_STREAM_ID = 0x7fffffff;

export enum FrameType {
  DATA = 0,
  HEADERS = 1,
  PRIORITY = 2,
  RST_STREAM = 3,
  SETTINGS = 4,
  PUSH_PROMISE = 5,
  PING = 6,
  GOAWAY = 7,
  WINDOW_UPDATE = 8,
  CONTINUATION = 9,
}

export const FLAG_END_STREAM = 0x1;
export const FLAG_ACK = 0x1;
export const FLAG_END_HEADERS = 0x4;
export const FLAG_PADDED = 0x8;
export const FLAG_PRIORITY = 0x20;

/** The first bytes that a client sends (RFC 9113 §3.4). */
export const PREFACE: Uint8Array = new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** Reads unsigned 32 bits, big-endian. The caller has checked that they are within `bytes`. */
export function getUint32(bytes: Uint8Array, at: number): number {
  return getUint31(bytes, at) + ((bytes[at]! & 0x80) === 0 ? 0 : 0x80000000);
}

/** Reads 32 bits without the top one, which is reserved in stream ids and window increments. */
export function getUint31(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! & 0x7f) << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

/** Reads unsigned 24 bits, big-endian. */
export function getUint24(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
}

/** Reads unsigned 16 bits, big-endian. */
export function getUint16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** Writes the lower 32 bits of `value`, big-endian. */
export function putUint32(to: Uint8Array, at: number, value: number): void {
  to[at] = value >>> 24;
  to[at + 1] = value >>> 16;
  to[at + 2] = value >>> 8;
  to[at + 3] = value;
}

/** Writes a frame header (RFC 9113 §4.1) for `length` payload bytes. Returns the offset behind it. */
export function putFrameHeader(
  to: Uint8Array,
  at: number,
  length: number,
  type: FrameType,
  flags: number,
  streamId: number,
): number {
  to[at] = length >>> 16;
  to[at + 1] = length >>> 8;
  to[at + 2] = length;
  to[at + 3] = type;
  to[at + 4] = flags;
  putUint32(to, at + 5, streamId);
  return at + FRAME_HEADER;
}
