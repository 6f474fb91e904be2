/** What the parts of one connection share: streams, windows, budgets, output, and how it ends. */
import { Budgets, type TokenBucket } from "./budget.ts";
import { NumberMap } from "../net/number_map.ts";
import { ClosedStreams, Closing } from "./closed_streams.ts";
import { failure, reasonText } from "./failure.ts";
import { ConnectionCredit, INITIAL_WINDOW, SendWindow } from "./flow.ts";
import { FrameWriter } from "./frame_writer.ts";
import type { H2Memory } from "./memory.ts";
import type { OpenStream } from "./open_stream.ts";
import { OutputBuffer, type OutputOwner } from "./output.ts";
import { type ConnectionHandler, ErrorCode, type H2Failure, type H2Options, type Millis } from "./seam.ts";
import { PeerSettings } from "./settings.ts";
import { Shutdown } from "./shutdown.ts";
import { WaitingFor, WaitQueue } from "./wait_queue.ts";
import { Work } from "./work.ts";

/** To let go of an application, and to log it, takes 20 us. */
export const STREAMS_TOLD_PER_PASS = 16;

/**
 * ```
 *  server: AWAITING_PREFACE ──24 bytes──▶ AWAITING_SETTINGS ──SETTINGS──▶ OPEN
 *  client:                                AWAITING_SETTINGS ──SETTINGS──▶ OPEN
 *  any of them ──connection error, breach, transport, finished drain──▶ ENDED
 * ```
 * Draining goes on inside these phases: see `shutdown.ts`.
 */
export enum Phase {
  AWAITING_PREFACE,
  AWAITING_SETTINGS,
  OPEN,
  ENDED,
}

export class Core implements OutputOwner {
  phase: Phase;
  readonly isServer: boolean;
  /** By id. */
  readonly streams = new NumberMap<OpenStream>();
  readonly closed = new ClosedStreams();
  readonly peer: PeerSettings;
  readonly shutdown: Shutdown;
  readonly budgets: Budgets;
  readonly out: OutputBuffer;
  readonly writer: FrameWriter;
  readonly sendWindow = new SendWindow(INITIAL_WINDOW);
  readonly credit: ConnectionCredit;
  readonly waitForWindow = new WaitQueue(WaitingFor.CONNECTION_WINDOW);
  readonly waitForRoom = new WaitQueue(WaitingFor.ROOM);
  /** Streams that have sent little lately; they are called before those in {@link waitForRoom}. */
  readonly waitForRoomFirst = new WaitQueue(WaitingFor.ROOM_FIRST);
  /** Highest stream id the peer has opened. */
  lastPeerId = 0;
  /** Next stream id we open. */
  nextId = 1;
  /** Done in this pass, see `work.ts`. */
  work = 0;
  /** Bytes a stream of the peer may have under way: `Connection.limitInFlight`. */
  inFlightLimit = Infinity;
  /** Round-trip time of the network path, in ms; 0: not known. */
  roundTrip: Millis = 0;
  /** Bytes that may be gathered for the transport: `Connection.limitGathered`. */
  gatherLimit = Infinity;
  /** Whose reservation is the current one. */
  reservedBy: OpenStream | null = null;
  /** SETTINGS frames of ours that the peer has not acknowledged. */
  settingsUnacknowledged = 0;
  /** How it ended, while streams are left that do not know it yet. */
  private ending: H2Failure | null = null;
  /** A breach found outside `receive`: carried out at the next entry into the connection. */
  private doom: string | null = null;
  /** Streams that got bytes or their end in this pass. */
  private readonly touched: OpenStream[] = [];

  constructor(
    readonly options: H2Options,
    readonly handler: ConnectionHandler,
    readonly memory: H2Memory,
    public now: Millis,
  ) {
    this.isServer = options.role === "server";
    this.phase = this.isServer ? Phase.AWAITING_PREFACE : Phase.AWAITING_SETTINGS;
    this.peer = new PeerSettings(this.isServer ? "client" : "server");
    this.shutdown = new Shutdown();
    this.budgets = new Budgets(options.limits, now);
    this.out = new OutputBuffer(memory.output, this, options.limits.queuedControlBytes);
    this.writer = new FrameWriter(this.out);
    this.credit = new ConnectionCredit(
      Math.max(options.connectionWindow, INITIAL_WINDOW),
      options.maxUnreleased,
      memory.held,
      options.peer,
    );
  }

  get ended(): boolean {
    return this.phase === Phase.ENDED;
  }

  get tired(): boolean {
    return this.work >= this.options.workPerPass;
  }

  onOutput(): void {
    this.handler.onOutput();
  }

  onControlOverflow(): void {
    this.doom =
      `more than ${this.options.limits.queuedControlBytes} bytes of control frames that the peer does not read`;
  }

  /** A stream that the peer could open and has not. */
  isIdle(streamId: number): boolean {
    const odd = (streamId & 1) === 1;
    if (this.isServer) return !odd || streamId > this.lastPeerId;
    return !odd || streamId >= this.nextId;
  }

  /** Announces credit; the stream id 0 means the connection. */
  announceCredit(streamId: number, increment: number): void {
    if (increment > 0 && !this.ended) this.writer.windowUpdate(streamId, increment);
  }

  /** `onFlush` is owed to the stream at the end of the pass. */
  touch(stream: OpenStream): void {
    if (stream.needsFlush) return;
    stream.needsFlush = true;
    this.touched.push(stream);
  }

  /** End of a pass. */
  flushTouched(): void {
    const touched = this.touched;
    for (let i = 0; i < touched.length; i++) touched[i]!.flush();
    touched.length = 0;
  }

  /** The connection's send window opened. Whoever finds it closed again goes to the end of the queue: fair rounds. */
  wakeForWindow(): void {
    const queue = this.waitForWindow;
    for (let n = queue.size; n > 0 && this.sendWindow.available > 0; n--) queue.shift()?.wake();
  }

  /** The gather buffer was emptied. */
  wakeForRoom(): void {
    for (const queue of [this.waitForRoomFirst, this.waitForRoom]) {
      for (let n = queue.size; n > 0 && !this.out.full; n--) queue.shift()?.wake();
    }
  }

  /** The stream has left the game; late frames are judged by `closing`. */
  forget(stream: OpenStream, closing: Closing): void {
    this.streams.delete(stream.id);
    stream.onRemoved();
    this.closed.add(stream.id, closing, stream.receiveWindow.available);
  }

  /** Pays from a budget. False: used up, and the connection has ended. */
  charge(bucket: TokenBucket, cost = 1): boolean {
    if (bucket.take(cost, this.now)) return true;
    this.fail(ErrorCode.ENHANCE_YOUR_CALM, bucket.breach);
    return false;
  }

  /**
   * The peer broke a rule on one stream: sends RST_STREAM and charges it to the budget of early resets, since a peer
   * that provokes resets causes as much work as one that sends them. False: the connection has ended.
   */
  streamError(streamId: number, code: ErrorCode, reason: string): boolean {
    this.work += Work.RESET;
    const stream = this.streams.get(streamId);
    this.writer.rstStream(streamId, code);
    if (stream === undefined) this.closed.add(streamId, Closing.RESET_BY_US, this.options.streamWindow);
    else stream.abandon(failure("us", code, reason), Closing.RESET_BY_US);
    return !this.ended && this.charge(this.budgets.earlyResets);
  }

  /** Connection error of ours. False, so that `return core.fail(...)` stops the reader. */
  fail(code: ErrorCode, reason: string): false {
    this.finish(failure("us", code, reason), true);
    return false;
  }

  /** Ends the connection if a breach was noted outside of `receive`. False: ended. */
  carryOutDoom(): boolean {
    if (this.doom !== null && !this.ended) this.fail(ErrorCode.ENHANCE_YOUR_CALM, this.doom);
    return !this.ended;
  }

  get doomed(): boolean {
    return this.doom !== null && !this.ended;
  }

  /** Server: no stream above the last one seen is served from now on. */
  finaliseDrain(): void {
    this.shutdown.finalise(this.lastPeerId);
    this.writer.goAway(this.lastPeerId, ErrorCode.NO_ERROR, "");
  }

  /** A drain ends with its last stream. Not called while a handler call is going on, so owners are not surprised. */
  finishDrain(): void {
    if (this.ended || this.streams.size > 0) return;
    const received = this.shutdown.received;
    if (this.shutdown.final) this.finish(failure("us", ErrorCode.NO_ERROR, "drained"), false);
    // A client has nothing more to do here; a server's client may still open streams after its own GOAWAY.
    else if (!this.isServer && received !== null) {
      this.writer.goAway(0, ErrorCode.NO_ERROR, "");
      this.finish(received, false);
    }
  }

  /** The one way to ENDED. */
  finish(how: H2Failure, goAway: boolean): void {
    if (this.ended) return;
    this.flushTouched();
    if (this.ended) return;
    this.phase = Phase.ENDED;
    this.credit.close();
    if (goAway) this.writer.goAway(this.lastPeerId, how.code, how.code === ErrorCode.NO_ERROR ? "" : how.reason);
    // "Flush, then close" is then always right, also when nothing was left to say.
    if (how.by !== "transport") this.out.announce();
    this.ending = how;
    this.tellStreams(STREAMS_TOLD_PER_PASS);
  }

  /** Streams are left to be told of the end: {@link tellStreams} goes on with them. */
  get leaving(): boolean {
    return this.ending !== null;
  }

  /** Tells `most` streams that it is over, behind the last one the handler. */
  tellStreams(most: number): void {
    const how = this.ending;
    if (how === null) return;
    let left = most;
    for (const stream of this.streams.values()) {
      if (left-- <= 0) return;
      stream.abandon(how, Closing.RESET_BY_US);
    }
    if (!this.leaving) return; // a stream's owner has closed the connection
    this.ending = null;
    this.handler.onEnd(how);
  }

  /** The peer's GOAWAY: streams of ours that it will not process are over (RFC 9113 §6.8). A server has none. */
  refuseAbove(lastStreamId: number): void {
    if (this.isServer) return;
    const how = failure("peer", ErrorCode.REFUSED_STREAM, reasonText(ErrorCode.REFUSED_STREAM));
    for (const stream of this.streams.values()) {
      if (stream.id > lastStreamId) stream.abandon(how, Closing.RESET_BY_PEER);
    }
  }
}
