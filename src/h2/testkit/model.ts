/**
 * For tests only: the state of a connection from the peer's side, after RFC 9113. Shares no code with what it tests.
 */
import { strict as assert } from "node:assert";
import { FrameType, getUint31 } from "../frame.ts";
import type { ErrorCode, H2Options } from "../seam.ts";
import type { StreamLog } from "./pair.ts";
import type { Frame } from "./frames.ts";

/** The error that a step must cause. */
export type Outcome = { scope: "none" } | { scope: "stream" | "connection"; code: ErrorCode };
/** A random step: what to do, to which stream, and a number that decides the rest. */
export interface Step {
  readonly op: string;
  readonly who: number;
  readonly n: number;
}

export const NONE: Outcome = { scope: "none" };
export const onStream = (code: ErrorCode): Outcome => ({ scope: "stream", code });
export const onConnection = (code: ErrorCode): Outcome => ({ scope: "connection", code });

/** A stream from the peer's side. */
export interface StreamModel {
  readonly id: number;
  readonly log: StreamLog;
  /** The peer has sent END_STREAM. */
  peerEnded: boolean;
  weEnded: boolean;
  reset: "" | "by peer" | "by us";
  /** The response was sent. */
  answered: boolean;
  /** Bytes that the peer may send. */
  credit: number;
  /** Bytes that we may send. */
  window: number;
}

/** Neither reset nor ended by both sides. */
export function isOpen({ reset, peerEnded, weEnded }: StreamModel): boolean {
  return reset === "" && !(peerEnded && weEnded);
}

/** The calls to the stream's handler so far have a possible order. */
export function assertInOrder({ log: { events } }: StreamModel): void {
  const reset = events.findIndex((event) => event.startsWith("reset"));
  assert.ok(reset < 0 || reset === events.length - 1, `after the end: ${events.join(" ")}`);
  assert.ok(!events.includes("data", events.indexOf("end") + 1 || events.length), "data behind the end");
}

/** After the connection has ended: the handler was notified of the end exactly once. */
export function assertEndedOnce({ log, weEnded, peerEnded }: StreamModel): void {
  const ends = log.events.filter((event) => event === "end").length;
  const resets = log.events.filter((event) => event.startsWith("reset")).length;
  assert.ok(log.stream.closed && ends <= 1 && resets <= 1, log.events.join(" "));
  if (weEnded && peerEnded) assert.equal(resets, 0, "a stream that had ended was reset as well");
}

/** Limits and windows of a connection, from the peer's side. */
export class PeerModel {
  readonly #options: H2Options;
  readonly streams: StreamModel[] = [];
  nextId = 1;
  connectionCredit = 65_535;
  connectionWindow = 65_535;
  initialWindow = 65_535;
  maxFrame = 16_384;
  /** Of our last GOAWAY. */
  sentLast = 0x7fffffff;
  draining = false;

  constructor(options: H2Options) {
    this.#options = options;
  }

  /** A stream was opened. */
  add(id: number, log: StreamLog): StreamModel {
    const stream: StreamModel = {
      id,
      log,
      peerEnded: false,
      weEnded: false,
      reset: "",
      answered: false,
      credit: this.#options.streamWindow,
      window: this.initialWindow,
    };
    this.streams.push(stream);
    return stream;
  }

  /** Applies frames that the connection under test has sent. */
  apply(frames: readonly Frame[]): void {
    for (const { type, id, payload } of frames) {
      assert.ok(payload.length <= this.maxFrame, "a frame above the peer's limit");
      if (type === FrameType.WINDOW_UPDATE) this.#credit(id, getUint31(payload, 0));
      if (type === FrameType.GOAWAY) this.sentLast = getUint31(payload, 0);
    }
  }

  #credit(id: number, by: number): void {
    const { connectionWindow, streamWindow } = this.#options;
    assert.ok(by > 0);
    if (id === 0) {
      this.connectionCredit += by;
      assert.ok(this.connectionCredit <= Math.max(connectionWindow, 65_535), "credit above the connection's window");
      return;
    }
    const stream = this.streams.find((candidate) => candidate.id === id);
    assert.ok(stream !== undefined, "credit for an unknown stream");
    stream.credit += by;
    assert.ok(stream.credit <= streamWindow, "credit above the stream's window");
  }
}
