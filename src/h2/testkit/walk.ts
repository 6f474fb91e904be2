/** For tests only: a peer that takes random steps, and checks of what RFC 9113 requires after each. */
import { strict as assert } from "node:assert";
import { FrameType, getUint32 } from "../frame.ts";
import { ErrorCode, type H2Options } from "../seam.ts";
import { defaultOptions } from "../limits.ts";
import { blockFrames, breachesOf, noise } from "./walk_frames.ts";
import {
  assertEndedOnce,
  assertInOrder,
  isOpen,
  NONE,
  onConnection,
  onStream,
  type Outcome,
  PeerModel,
  type Step,
  type StreamModel,
} from "./model.ts";
import { CONNECT, OK, StreamLog } from "./pair.ts";
import { data, type Frame, frame, goAway, rst, Scripted, setting, settings, windowUpdate } from "./frames.ts";

const TRAILERS = [["x-trailer", "1"]] as const;

/** One connection under test, and its peer. */
export class Walk {
  readonly scripted: Scripted;
  readonly #model: PeerModel;
  readonly #server: boolean;
  readonly #options: H2Options;
  #cut: number;

  constructor(role: "client" | "server", options: Partial<H2Options>, cut: number) {
    this.#server = role === "server";
    this.#cut = cut;
    this.scripted = new Scripted(role, options, true);
    this.#options = { ...defaultOptions(role), ...options };
    this.#model = new PeerModel(this.#options);
    this.#send(...this.scripted.start());
    this.#takeOutput();
  }

  get ended(): boolean {
    return this.scripted.log.end !== null;
  }

  /** Takes one step, and checks everything that must be true after it. */
  take(step: Step): void {
    const target = this.#model.streams.length === 0
      ? null
      : this.#model.streams[step.who % this.#model.streams.length]!;
    const outcome = this.#do(step, target);
    const frames = this.#takeOutput();
    if (outcome.scope === "connection") return this.#assertEnded(outcome.code, step);
    if (outcome.scope === "stream") {
      const wasReset = frames.some((f) => f.type === FrameType.RST_STREAM && getUint32(f.payload, 0) === outcome.code);
      assert.ok(wasReset, `${step.op}: RST_STREAM ${ErrorCode[outcome.code]} is missing`);
    } else {
      const wrong = frames.find((f) => f.type === FrameType.RST_STREAM && getUint32(f.payload, 0) !== ErrorCode.CANCEL);
      assert.equal(wrong, undefined, `${step.op}: a stream was reset without a reason`);
    }
    const { end } = this.scripted.log;
    if (end !== null) assert.ok(this.#model.draining && end.code === ErrorCode.NO_ERROR, `${step.op}: ${end.reason}`);
    this.#checkStreams();
  }

  /** Reads everything, then ends the transport: no credit may be lost, and every stream must end exactly once. */
  finish(): void {
    for (const stream of this.#model.streams) {
      if (!this.ended && isOpen(stream) && !stream.peerEnded && (this.#server || stream.answered)) {
        this.#readAll(stream);
      }
    }
    const { connection, log, pool } = this.scripted;
    connection.transportEnded("gone");
    assert.ok(log.end !== null);
    assert.equal(connection.streamCount, 0);
    assert.equal(pool.lentBytes, 0);
    // Streams that had ended before may have bytes that their handler has not released.
    for (const stream of this.#model.streams) stream.log.stream.release(Infinity);
    assert.equal(this.scripted.memory.held.total, 0);
    for (const stream of this.#model.streams) assertEndedOnce(stream);
  }

  /** After the peer has used all of its credit, it must get the whole window back. */
  #readAll(stream: StreamModel): void {
    stream.log.autoRelease = true;
    stream.log.stream.release(Infinity);
    this.#takeOutput();
    const { id, credit } = stream;
    if (credit > this.#model.connectionCredit) return;
    this.#model.connectionCredit -= credit;
    stream.credit = 0;
    this.scripted.send(data(id, new Uint8Array(credit)));
    this.#takeOutput();
    assert.equal(stream.credit, this.#options.streamWindow, "credit was lost");
  }

  #do(step: Step, target: StreamModel | null): Outcome {
    const own = this.#owner(step, target);
    if (own) return NONE;
    if (target === null) return this.#aboutConnection(step);
    return this.#aboutStream(step, target) ?? this.#aboutConnection(step);
  }

  /** A step of the connection's owner. False: it is another kind of step. */
  #owner({ op, n }: Step, target: StreamModel | null): boolean {
    const { connection } = this.scripted;
    switch (op) {
      case "open":
        if (this.#server) this.#peerOpens(n);
        else this.#weOpen();
        return true;
      case "answer":
        if (this.#server && target !== null && !target.answered && target.log.stream.closed === false) {
          target.log.stream.respond(OK, n % 5 === 0);
          target.answered = true;
          target.weEnded ||= n % 5 === 0;
        }
        return true;
      case "write":
        if (target !== null) this.#write(target, 1 + n);
        return true;
      case "end":
        if (target !== null) this.#end(target);
        return true;
      case "cancel":
        if (target !== null && n % 3 === 0 && !target.log.stream.closed) {
          target.log.stream.reset(ErrorCode.CANCEL);
          target.reset = "by us";
        }
        return true;
      case "release":
        target?.log.stream.release(n);
        return true;
      case "tick":
        connection.tick(this.scripted.now += n % 1000);
        return true;
      case "drain":
        if (n % 8 === 0) {
          connection.drain(this.scripted.now);
          this.#model.draining = true;
        }
        return true;
      default:
        return false;
    }
  }

  #aboutStream({ op, n }: Step, target: StreamModel): Outcome | null {
    const { id } = target;
    switch (op) {
      case "data":
        return this.#data(target, n % (Math.min(target.credit, this.#model.connectionCredit, 5000) + 1), n % 7 === 0);
      case "too much data":
        if (target.credit + 1 > Math.min(this.#model.connectionCredit, this.#options.maxFrameSize)) return NONE;
        return this.#data(target, target.credit + 1, false);
      case "window":
        return this.#windowUpdate(target, n % 5 === 0 ? 0 : n % 11 === 0 ? 0x7fffffff : n);
      case "peer resets":
        this.#send(rst(id, n % 14));
        if (isOpen(target)) target.reset = "by peer";
        return NONE;
      case "trailers":
        return this.#trailers(target, n % 4 !== 0);
      case "response":
        return this.#server ? NONE : this.#response(target, n);
      default:
        return null;
    }
  }

  #aboutConnection({ op, n }: Step): Outcome {
    switch (op) {
      case "connection window": {
        const by = n % 59 === 0 ? 0 : n % 61 === 0 ? 0x7fffffff : n;
        const fine = by > 0 && this.#model.connectionWindow + by <= 0x7fffffff;
        if (fine) this.#model.connectionWindow += by;
        this.#send(windowUpdate(0, by));
        return fine ? NONE : onConnection(by === 0 ? ErrorCode.PROTOCOL_ERROR : ErrorCode.FLOW_CONTROL_ERROR);
      }
      case "settings":
        return this.#settings(n);
      case "noise":
        this.#send(...noise(n));
        return NONE;
      case "peer leaves":
        if (n % 10 !== 0 || !this.#server) return NONE;
        this.#send(goAway(0));
        return NONE;
      case "breach":
        return n % 4 === 0 ? this.#breach(n >> 2) : NONE;
      default:
        return NONE;
    }
  }

  #peerOpens(n: number): void {
    if (this.#model.nextId > this.#model.sentLast) return;
    const id = this.#model.nextId += n % 4 === 0 ? 2 : 0;
    this.#model.nextId += 2;
    const { log } = this.scripted, before = log.streams.length;
    log.answer = () => {};
    const end = n % 9 === 0;
    this.#send(...blockFrames(id, this.scripted.block(CONNECT), n, end));
    if (this.ended) return;
    assert.equal(log.streams.length, before + 1, "a request was not reported");
    this.#addStream(id, log.streams.at(-1)!, n).peerEnded = end;
  }

  #weOpen(): void {
    const { connection } = this.scripted;
    if (!connection.canOpen) return;
    const log = new StreamLog();
    log.stream = connection.open(CONNECT, log)!;
    this.#addStream(log.stream.id, log, log.stream.id);
  }

  /** Adds a stream; some handlers call the stream from inside their calls. */
  #addStream(id: number, log: StreamLog, n: number): StreamModel {
    const stream = this.#model.add(id, log);
    log.autoRelease = n % 2 === 0;
    if (n % 3 === 0) log.onReady = () => this.#write(stream, 5000);
    if (n % 5 === 0) log.onEnded = () => this.#end(stream);
    return stream;
  }

  /** DATA of the peer, in some cases with padding. */
  #data(target: StreamModel, length: number, end: boolean): Outcome {
    const padding = length > 10 && length % 3 === 0 ? 5 : 0;
    const content = new Uint8Array(length - (padding === 0 ? 0 : padding + 1));
    this.#model.connectionCredit -= length;
    const flags = (end ? 1 : 0) | (padding === 0 ? 0 : 8);
    this.#send(
      frame(
        FrameType.DATA,
        flags,
        target.id,
        padding === 0 ? content : [padding, ...content, ...new Array(padding).fill(0)],
      ),
    );
    if (target.reset === "by us") return this.#late(target, length);
    if (target.reset === "by peer") return this.#resetToo(target);
    if (target.peerEnded && target.weEnded) return onConnection(ErrorCode.STREAM_CLOSED);
    if (target.peerEnded) return this.#fails(target, ErrorCode.STREAM_CLOSED);
    if (!this.#server && !target.answered) return this.#fails(target, ErrorCode.PROTOCOL_ERROR);
    if (length > target.credit) return this.#fails(target, ErrorCode.FLOW_CONTROL_ERROR);
    target.credit -= length;
    target.peerEnded ||= end;
    return NONE;
  }

  /** DATA for a stream that we have reset: accepted up to what the peer could have sent before it got the reset. */
  #late(target: StreamModel, length: number): Outcome {
    if (length > target.credit) return onConnection(ErrorCode.FLOW_CONTROL_ERROR);
    target.credit -= length;
    return NONE;
  }

  /** The peer sends on a stream that it has reset: we reset it too, and from then on it counts as reset by us. */
  #resetToo(target: StreamModel): Outcome {
    target.credit = this.#options.streamWindow;
    return this.#fails(target, ErrorCode.STREAM_CLOSED);
  }

  #windowUpdate(target: StreamModel, by: number): Outcome {
    const fine = by > 0 && target.window + by <= 0x7fffffff, open = isOpen(target);
    if (fine) target.window += by;
    this.#send(windowUpdate(target.id, by));
    if (fine || !open) return NONE;
    return this.#fails(target, by === 0 ? ErrorCode.PROTOCOL_ERROR : ErrorCode.FLOW_CONTROL_ERROR);
  }

  #trailers(target: StreamModel, end: boolean): Outcome {
    if (!this.#server && !target.answered) return NONE;
    this.#send(this.scripted.headers(target.id, TRAILERS, end));
    if (target.reset === "by us") return NONE;
    if (target.reset === "by peer") return this.#resetToo(target);
    if (target.peerEnded && target.weEnded) return onConnection(ErrorCode.STREAM_CLOSED);
    if (target.peerEnded) return this.#fails(target, ErrorCode.STREAM_CLOSED);
    if (!end) return this.#fails(target, ErrorCode.PROTOCOL_ERROR);
    target.peerEnded = true;
    return NONE;
  }

  #response(target: StreamModel, n: number): Outcome {
    if (target.answered || !isOpen(target)) return NONE;
    const status = n % 6 === 0 ? "101" : n % 5 === 0 ? "103" : n % 11 === 0 ? "7" : "200";
    const end = status === "200" && n % 4 === 0;
    this.#send(this.scripted.headers(target.id, [[":status", status]], end));
    if (status === "101" || status === "7") return this.#fails(target, ErrorCode.PROTOCOL_ERROR);
    target.answered = status === "200";
    target.peerEnded = end;
    return NONE;
  }

  #settings(n: number): Outcome {
    const value = [0, 1, 100, 20_000, 65_535, 300_000, 0x7fffffff, 0x80000000][(n >> 2) % 8]!;
    switch (n % 4) {
      case 0:
        return this.#newInitialWindow(value);
      case 1: {
        const size = [16_384, 16_384, 20_000, 1 << 20, (1 << 24) - 1, 16_383, 1 << 24][(n >> 2) % 7]!;
        this.#send(settings(setting(5, size)));
        if (size < 16_384 || size > 0xffffff) return onConnection(ErrorCode.PROTOCOL_ERROR);
        this.#model.maxFrame = size;
        return NONE;
      }
      case 2:
        this.#send(settings(setting(1, value), setting(1, n % 9000), setting(99, n)));
        return NONE;
      default:
        this.#send(settings(setting(6, n), setting(3, n % 300)), frame(FrameType.SETTINGS, 1, 0));
        return NONE;
    }
  }

  #newInitialWindow(value: number): Outcome {
    const open = this.#model.streams.filter(isOpen), moved = value - this.#model.initialWindow;
    const fine = value <= 0x7fffffff && open.every(({ window }) => window + moved <= 0x7fffffff);
    if (fine) {
      this.#model.initialWindow = value;
      for (const stream of open) stream.window += moved;
    }
    this.#send(settings(setting(4, value)));
    return fine ? NONE : onConnection(ErrorCode.FLOW_CONTROL_ERROR);
  }

  /** Frames that end a connection in every state. */
  #breach(n: number): Outcome {
    const idle = this.#model.nextId + 100 + (this.#server ? 0 : 2 * this.#model.streams.length);
    if (this.#model.draining && this.#server) return NONE;
    const breaches = breachesOf(idle, this.#model.nextId);
    const [bytes, code] = breaches[n % breaches.length]!;
    this.#send(bytes);
    return onConnection(code);
  }

  #fails(target: StreamModel, code: ErrorCode): Outcome {
    target.reset = "by us";
    return onStream(code);
  }

  #end(target: StreamModel): void {
    if (!this.#maySend(target)) return;
    target.weEnded = true;
    target.log.stream.end();
  }

  #maySend(target: StreamModel): boolean {
    return isOpen(target) && !target.weEnded && (!this.#server || target.answered);
  }

  #write(target: StreamModel, want: number): void {
    if (!this.#maySend(target)) return;
    const room = target.log.stream.reserve(want, 1 << 20);
    if (room === null) return;
    const length = Math.min(room.total, want);
    assert.ok(length <= Math.min(target.window, this.#model.connectionWindow), "more than the peer allows us to send");
    target.log.stream.commit(length, false);
    target.window -= length;
    this.#model.connectionWindow -= length;
  }

  /** Sends frames in pieces. */
  #send(...frames: Uint8Array[]): void {
    for (const bytes of frames) {
      for (let at = 0; at < bytes.length; at += this.#cut) this.scripted.send(bytes.slice(at, at + this.#cut));
    }
  }

  /** The frames that the connection has sent since the last call. */
  #takeOutput(): Frame[] {
    const frames = this.scripted.take();
    this.#model.apply(frames);
    return frames;
  }

  #assertEnded(code: ErrorCode, { op, n }: Step): void {
    const { end } = this.scripted.log;
    assert.ok(end !== null, `${op} ${n} must end the connection with ${ErrorCode[code]}`);
    assert.deepEqual([end.by, ErrorCode[end.code]], ["us", ErrorCode[code]], `${op} ${n}`);
  }

  #checkStreams(): void {
    for (const stream of this.#model.streams) {
      const { closed } = stream.log.stream;
      assert.equal(closed, !isOpen(stream) || this.ended, `stream ${stream.id} is ${closed ? "closed" : "open"}`);
      assertInOrder(stream);
    }
  }
}
