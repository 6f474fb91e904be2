/** For tests only: writes and reads single frames, and a peer that sends what the test writes. */
import { BufferPool } from "../buffer_pool.ts";
import { makeH2Memory } from "../memory.ts";
import { H2Connection } from "../connection.ts";
import { FLAG_END_HEADERS, FRAME_HEADER, FrameType, getUint24, getUint31, getUint32, PREFACE } from "../frame.ts";
import { putFrameHeader } from "../frame.ts";
import { HpackEncoder } from "../hpack/encoder.ts";
import { defaultOptions } from "../limits.ts";
import type { H2Options, HeaderList } from "../seam.ts";
import { concat, EndpointLog, Sink } from "./pair.ts";

/** A frame that was read. */
export interface Frame {
  type: FrameType;
  flags: number;
  id: number;
  payload: Uint8Array;
}

/** A frame with any type, flags and payload. */
export function frame(type: number, flags: number, id: number, payload: ArrayLike<number> = []): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER + payload.length);
  bytes.set(payload, putFrameHeader(bytes, 0, payload.length, type, flags, id));
  return bytes;
}

/** A number as four bytes, big-endian. */
export function word(value: number): number[] {
  return [value >>> 24 & 255, value >>> 16 & 255, value >>> 8 & 255, value & 255];
}

export const setting = (id: number, value: number): number[] => [0, id, ...word(value)];
export const settings = (...pairs: number[][]): Uint8Array => frame(FrameType.SETTINGS, 0, 0, pairs.flat());
export const settingsAck = (): Uint8Array => frame(FrameType.SETTINGS, 1, 0);
export const windowUpdate = (id: number, by: number): Uint8Array => frame(FrameType.WINDOW_UPDATE, 0, id, word(by));
export const rst = (id: number, code = 8): Uint8Array => frame(FrameType.RST_STREAM, 0, id, word(code));
export const ping = (ack = false, fill = 7): Uint8Array =>
  frame(FrameType.PING, ack ? 1 : 0, 0, new Array(8).fill(fill));
export const data = (id: number, payload: ArrayLike<number>, end = false): Uint8Array =>
  frame(FrameType.DATA, end ? 1 : 0, id, payload);
export const goAway = (last: number, code = 0, debug = ""): Uint8Array =>
  frame(FrameType.GOAWAY, 0, 0, [...word(last), ...word(code), ...new TextEncoder().encode(debug)]);

/** Cuts bytes into frames. Throws where the last one is incomplete. */
export function split(bytes: Uint8Array): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = getUint24(bytes, at), start = at + FRAME_HEADER;
    if (start + length > bytes.length) throw new Error("cut frame");
    const payload = bytes.slice(start, start + length);
    frames.push({ type: bytes[at + 3]!, flags: bytes[at + 4]!, id: getUint31(bytes, at + 5), payload });
    at = start + length;
  }
  return frames;
}

/** A frame in words, for example `RST_STREAM 1 8` with a code, `GOAWAY 3 0`, `DATA 1 5+` with END_STREAM. */
export function describe(f: Frame): string {
  const end = f.flags & 1 ? "+" : "";
  switch (f.type) {
    case FrameType.DATA:
      return `DATA ${f.id} ${f.payload.length}${end}`;
    case FrameType.HEADERS:
      return `HEADERS ${f.id}${end}`;
    case FrameType.RST_STREAM:
      return `RST_STREAM ${f.id} ${getUint32(f.payload, 0)}`;
    case FrameType.GOAWAY:
      return `GOAWAY ${getUint31(f.payload, 0)} ${getUint32(f.payload, 4)}`;
    case FrameType.WINDOW_UPDATE:
      return `WINDOW_UPDATE ${f.id} ${getUint31(f.payload, 0)}`;
    case FrameType.SETTINGS:
    case FrameType.PING:
      return `${FrameType[f.type]}${f.flags & 1 ? " ACK" : ""}`;
    default:
      return `${FrameType[f.type] ?? f.type} ${f.id}`;
  }
}

/** The debug text of a GOAWAY. */
export function debugText(f: Frame): string {
  return new TextDecoder().decode(f.payload.subarray(8));
}

export const GET: HeaderList = [[":method", "GET"], [":scheme", "http"], [":path", "/"], [":authority", "x"]];

/** One connection under test, and a peer whose frames the test writes. */
export class Scripted {
  readonly log = new EndpointLog();
  readonly pool = new BufferPool();
  readonly memory = makeH2Memory(this.pool);
  readonly connection: H2Connection;
  readonly sink = new Sink();
  now = 1000;
  readonly #encoder = new HpackEncoder();
  readonly #role: "client" | "server";

  /** `role` of the connection under test. Preface and SETTINGS are exchanged, unless `bare`. */
  constructor(role: "client" | "server", options: Partial<H2Options> = {}, bare = false) {
    this.#role = role;
    this.connection = new H2Connection({ ...defaultOptions(role), ...options }, this.log, this.memory, this.now);
    if (bare) return;
    this.send(...this.start());
    this.take();
  }

  /** The first frames of a correct peer. */
  start(): Uint8Array[] {
    return [this.#role === "server" ? PREFACE : new Uint8Array(0), settings(), settingsAck()];
  }

  /** The connection receives these frames, in as many passes as it needs. */
  send(...frames: Uint8Array[]): void {
    const bytes = concat(frames);
    this.connection.receive(bytes, 0, bytes.length, this.now);
    while (this.connection.hasPendingWork) this.connection.resume(this.now);
  }

  /** A HEADERS frame of the peer with a whole header block. */
  headers(id: number, headers: HeaderList, end = false): Uint8Array {
    return frame(FrameType.HEADERS, FLAG_END_HEADERS | (end ? 1 : 0), id, this.block(headers));
  }

  /** A header block of the peer. */
  block(headers: HeaderList): Uint8Array {
    const into = new Uint8Array(200_000);
    return into.slice(0, this.#encoder.encode(headers, into, 0));
  }

  /** Frames that the connection has sent since the last call. */
  take(): Frame[] {
    this.connection.flushTo(this.sink);
    const bytes = this.sink.take();
    const client = this.#role === "client" && bytes[0] === PREFACE[0] && bytes[1] === PREFACE[1];
    return split(client ? bytes.subarray(PREFACE.length) : bytes);
  }

  /** The same in words: see {@link describe}. */
  describeOutput(): string[] {
    return this.take().map(describe);
  }
}
