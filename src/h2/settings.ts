/** SETTINGS (RFC 9113 §6.5): the parameters that the peer announced, and those that we announce. */
import { getUint16, getUint32, MAX_FRAME_SIZE, MIN_FRAME_SIZE, putUint32 } from "./frame.ts";
import { INITIAL_WINDOW, MAX_WINDOW } from "./flow.ts";
import { ErrorCode, type H2Options } from "./seam.ts";

enum SettingId {
  HEADER_TABLE_SIZE = 1,
  ENABLE_PUSH = 2,
  MAX_CONCURRENT_STREAMS = 3,
  INITIAL_WINDOW_SIZE = 4,
  MAX_FRAME_SIZE = 5,
  MAX_HEADER_LIST_SIZE = 6,
}

/** Length of one parameter, in bytes. */
export const SETTING_BYTES = 6;
/** Parameters in one frame, at most: eleven are registered, and some peers add a few unknown ones. */
export const MAX_SETTINGS = 64;

/**
 * Streams that a client opens before it has received the server's limit. RFC 9113 §6.5.2 asks servers for at least 100,
 * and the pool of connections uses no more by default (`docs/spec/dataplane.md` 2.3).
 */
const STREAMS_BEFORE_SETTINGS = 100;

/** The parameters of the peer: its limits for what we send. */
export class PeerSettings {
  readonly #peerRole: "client" | "server";
  headerTableSize = 4096;
  /** The smallest one within the last SETTINGS frame: the encoder has to pass through it (RFC 7541 §4.2). */
  smallestHeaderTableSize = 4096;
  maxConcurrentStreams = STREAMS_BEFORE_SETTINGS;
  initialWindow = INITIAL_WINDOW;
  maxFrameSize = MIN_FRAME_SIZE;

  constructor(peerRole: "client" | "server") {
    this.#peerRole = peerRole;
  }

  /**
   * Applies the payload `[start, end)` of one SETTINGS frame, in order. Unknown parameters are ignored. Returns the
   * connection error for a forbidden value, or null.
   */
  apply(bytes: Uint8Array, start: number, end: number): { code: ErrorCode; reason: string } | null {
    this.smallestHeaderTableSize = this.headerTableSize;
    for (let at = start; at < end; at += SETTING_BYTES) {
      const id: SettingId = getUint16(bytes, at);
      const value = getUint32(bytes, at + 2);
      const error = this.#set(id, value);
      if (error !== null) return { code: error, reason: `SETTINGS parameter ${id} must not be ${value}` };
    }
    return null;
  }

  /** Called before the first SETTINGS frame is applied: without MAX_CONCURRENT_STREAMS in it there is no limit. */
  clearStreamLimit(): void {
    this.maxConcurrentStreams = Infinity;
  }

  #set(id: SettingId, value: number): ErrorCode | null {
    switch (id) {
      case SettingId.HEADER_TABLE_SIZE:
        this.headerTableSize = value;
        this.smallestHeaderTableSize = Math.min(this.smallestHeaderTableSize, value);
        return null;
      case SettingId.ENABLE_PUSH:
        // RFC 9113 §6.5.2: a server must not send 1, and nobody may send more than 1.
        return value > 1 || (value === 1 && this.#peerRole === "server") ? ErrorCode.PROTOCOL_ERROR : null;
      case SettingId.MAX_CONCURRENT_STREAMS:
        this.maxConcurrentStreams = value;
        return null;
      case SettingId.INITIAL_WINDOW_SIZE:
        if (value > MAX_WINDOW) return ErrorCode.FLOW_CONTROL_ERROR;
        this.initialWindow = value;
        return null;
      case SettingId.MAX_FRAME_SIZE:
        if (value < MIN_FRAME_SIZE || value > MAX_FRAME_SIZE) return ErrorCode.PROTOCOL_ERROR;
        this.maxFrameSize = value;
        return null;
      default:
        // MAX_HEADER_LIST_SIZE is advisory, and our header lists are small. Unknown ones must be ignored (RFC 9113
        // §6.5.2).
        return null;
    }
  }
}

/** The payload of our SETTINGS frame, parameters as `docs/spec/dataplane.md` 2.3 lists them. */
export function ownSettings(options: H2Options): Uint8Array {
  const pairs: [SettingId, number][] = [];
  if (options.role === "client") pairs.push([SettingId.ENABLE_PUSH, 0]);
  else if (options.maxConcurrentStreams !== null) {
    pairs.push([SettingId.MAX_CONCURRENT_STREAMS, options.maxConcurrentStreams]);
  }
  pairs.push([SettingId.INITIAL_WINDOW_SIZE, options.streamWindow]);
  pairs.push([SettingId.MAX_FRAME_SIZE, options.maxFrameSize]);
  pairs.push([SettingId.MAX_HEADER_LIST_SIZE, options.maxHeaderListSize]);
  const payload = new Uint8Array(pairs.length * SETTING_BYTES);
  pairs.forEach(([id, value], index) => {
    payload[index * SETTING_BYTES + 1] = id;
    putUint32(payload, index * SETTING_BYTES + 2, value);
  });
  return payload;
}
