/** The state that the parts of one connection share: streams, windows, budgets, output, and how the connection ends. */
import type { Millis } from "../net/clock.ts";
import { Budgets } from "./budget.ts";
import { NumberMap } from "../net/number_map.ts";
import { ClosedStreams, Closing } from "./closed_streams.ts";
import { byGoAway, failure, reasonText } from "./failure.ts";
import { ConnectionCredit, INITIAL_WINDOW, SendWindow } from "./flow.ts";
import { FrameWriter } from "./frame_writer.ts";
import type { H2Memory } from "./memory.ts";
import type { OpenStream } from "./open_stream.ts";
import { OutputBuffer, type OutputOwner } from "./output.ts";
import { type ConnectionHandler, ErrorCode, type H2Failure, type H2Options, type TokenBudget } from "./seam.ts";
import { PeerSettings } from "./settings.ts";
import { Shutdown } from "./shutdown.ts";
import { WaitingFor, WaitQueue } from "./wait_queue.ts";
import { Work } from "./work.ts";

/** Streams that are notified of the connection's end in one pass: closing one and logging it takes 20 us. */
export const STREAMS_NOTIFIED_PER_PASS = 16;

/**
 * The phases of a connection:
 *
 * ```
 *  server: AWAITING_PREFACE ──24 bytes──▶ AWAITING_SETTINGS ──SETTINGS──▶ OPEN
 *  client:                                AWAITING_SETTINGS ──SETTINGS──▶ OPEN
 *  any of them ──connection error, breach, transport, finished drain──▶ ENDED
 * ```
 * Draining happens within these phases: see `shutdown.ts`.
 */
export enum Phase {
  AWAITING_PREFACE,
  AWAITING_SETTINGS,
  OPEN,
  ENDED,
}

/** The shared state of one connection, for its streams and receivers. */
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
  /** Streams that have sent little lately; they are notified before those in {@link waitForRoom}. */
  readonly waitForRoomFirst = new WaitQueue(WaitingFor.ROOM_FIRST);
  /** Highest stream id the peer has opened. */
  lastPeerId = 0;
  /** Id of the next stream that we open. */
  nextId = 1;
  /** Work done in this pass, in units of `work.ts`. */
  work = 0;
  /** Bytes that a stream of the peer may have in flight: `Connection.limitInFlight`. */
  inFlightLimit = Infinity;
  /** Round-trip time of the network path, in ms; 0: not known. */
  roundTrip: Millis = 0;
  /** Bytes that may be gathered for the transport: `Connection.limitGathered`. */
  gatherLimit = Infinity;
  /** The stream that holds the current reservation. */
  reservedBy: OpenStream | null = null;
  /** SETTINGS frames of ours that the peer has not acknowledged. */
  settingsUnacknowledged = 0;
  /** Why the connection ended, while streams are left that were not notified yet. */
  #endFailure: H2Failure | null = null;
  /** A breach found outside `receive`: {@link applyPendingFailure} ends the connection for it. */
  #pendingFailure: string | null = null;
  /** Streams that got bytes or END_STREAM in this pass. */
  readonly #toFlush: OpenStream[] = [];

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
    this.budgets = new Budgets(options.limits, now, options.sharedResets);
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

  /** This pass has done as much work as it may: the rest of the bytes must wait. */
  get isOverWorkBudget(): boolean {
    return this.work >= this.options.workPerPass;
  }

  onOutput(): void {
    this.handler.onOutput();
  }

  onControlOverflow(): void {
    this.#pendingFailure =
      `more than ${this.options.limits.queuedControlBytes} bytes of control frames that the peer does not read`;
  }

  /** RFC 9113 §5.1 "idle": neither side has opened this stream. Also true of ids that nobody may open. */
  isIdle(streamId: number): boolean {
    const odd = (streamId & 1) === 1;
    if (this.isServer) return !odd || streamId > this.lastPeerId;
    return !odd || streamId >= this.nextId;
  }

  /** Sends WINDOW_UPDATE for `increment` bytes unless that is 0. Stream id 0: the connection's window. */
  announceCredit(streamId: number, increment: number): void {
    if (increment > 0 && !this.ended) this.writer.windowUpdate(streamId, increment);
  }

  /** Makes sure that the stream's `onFlush` is called at the end of the pass. */
  requestFlush(stream: OpenStream): void {
    if (stream.needsFlush) return;
    stream.needsFlush = true;
    this.#toFlush.push(stream);
  }

  /** Called at the end of a pass. */
  flushStreams(): void {
    const toFlush = this.#toFlush;
    for (let i = 0; i < toFlush.length; i++) toFlush[i]!.flush();
    toFlush.length = 0;
  }

  /**
   * The connection's send window has grown: notifies the streams that wait for it. A stream that finds it used up again
   * joins the end of the queue, so all take turns.
   */
  wakeForWindow(): void {
    const queue = this.waitForWindow;
    for (let n = queue.size; n > 0 && this.sendWindow.available > 0; n--) queue.shift()?.wake();
  }

  /** The gather buffer was emptied: notifies the streams that wait for room. */
  wakeForRoom(): void {
    this.#wakeWhileRoom(this.waitForRoomFirst);
    this.#wakeWhileRoom(this.waitForRoom);
  }

  #wakeWhileRoom(queue: WaitQueue): void {
    for (let n = queue.size; n > 0 && !this.out.full; n--) queue.shift()?.wake();
  }

  /** Removes a closed stream; `closing` decides how late frames are treated. */
  remove(stream: OpenStream, closing: Closing): void {
    this.streams.delete(stream.id);
    stream.onRemoved();
    this.closed.add(stream.id, closing, stream.receiveWindow.available);
  }

  /** Takes `cost` from a budget. False: it is used up, and the connection has ended. */
  charge(bucket: TokenBudget, cost = 1): boolean {
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

  /** Ends the connection with an error. Returns false, so that `return core.fail(...)` stops the reader. */
  fail(code: ErrorCode, reason: string): false {
    this.finish(failure("us", code, reason), true);
    return false;
  }

  /** Ends the connection if a breach was found outside of `receive`. False: the connection has ended. */
  applyPendingFailure(): boolean {
    if (this.#pendingFailure !== null && !this.ended) this.fail(ErrorCode.ENHANCE_YOUR_CALM, this.#pendingFailure);
    return !this.ended;
  }

  /** The next {@link applyPendingFailure} will end the connection. */
  get hasPendingFailure(): boolean {
    return this.#pendingFailure !== null && !this.ended;
  }

  /** Server: sends the final GOAWAY. No stream above the last one seen is served from now on. */
  finaliseDrain(): void {
    this.shutdown.finalise(this.lastPeerId);
    this.writer.goAway(this.lastPeerId, ErrorCode.NO_ERROR, "");
  }

  /** Ends a draining connection that has no streams left. Must not be called from inside a call to a handler. */
  finishDrain(): void {
    if (this.ended || this.streams.size > 0) return;
    const received = this.shutdown.received;
    if (this.shutdown.final) this.finish(failure("us", ErrorCode.NO_ERROR, "drained"), false);
    // Of the two only a client is done: the peer of a server may open streams after it has sent GOAWAY.
    else if (!this.isServer && received !== null) {
      this.writer.goAway(0, ErrorCode.NO_ERROR, "");
      this.finish(received, false);
    }
  }

  /** Ends the connection, for whatever reason. `goAway`: the peer gets a GOAWAY with the reason. */
  finish(how: H2Failure, goAway: boolean): void {
    if (this.ended) return;
    this.flushStreams();
    if (this.ended) return;
    this.phase = Phase.ENDED;
    this.credit.close();
    if (goAway) this.writer.goAway(this.lastPeerId, how.code, how.code === ErrorCode.NO_ERROR ? "" : how.reason);
    // The owner flushes and then closes; it must be called also where no frame is left to send.
    if (how.by !== "transport") this.out.announce();
    this.#endFailure = how;
    this.notifyStreams(STREAMS_NOTIFIED_PER_PASS);
  }

  /** The connection has ended and streams are left that {@link notifyStreams} has not notified. */
  get isNotifying(): boolean {
    return this.#endFailure !== null;
  }

  /** Notifies up to `most` streams of the connection's end, and after the last one the handler. */
  notifyStreams(most: number): void {
    const how = this.#endFailure;
    if (how === null) return;
    let left = most;
    for (const stream of this.streams.values()) {
      if (left-- <= 0) return;
      stream.abandon(how, Closing.RESET_BY_US);
    }
    if (!this.isNotifying) return; // a stream's owner has closed the connection
    this.#endFailure = null;
    this.handler.onEnd(how);
  }

  /** The peer's GOAWAY: closes streams of ours that it will not process (RFC 9113 §6.8). A server has none. */
  refuseAbove(lastStreamId: number): void {
    if (this.isServer) return;
    const how = byGoAway(ErrorCode.REFUSED_STREAM, reasonText(ErrorCode.REFUSED_STREAM));
    for (const stream of this.streams.values()) {
      if (stream.id > lastStreamId) stream.abandon(how, Closing.RESET_BY_PEER);
    }
  }
}
