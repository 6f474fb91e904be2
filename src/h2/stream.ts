/** One stream: the state of both directions, and their windows. */
import type { Millis } from "../net/clock.ts";
import { Closing } from "./closed_streams.ts";
import type { Core } from "./core.ts";
import { INITIAL_WINDOW, ReceiveWindow, SendWindow } from "./flow.ts";
import { FRAME_HEADER } from "./frame.ts";
import type { OpenStream } from "./open_stream.ts";
import type { ErrorCode, H2Failure, HeaderList, Reservation, Stream, StreamHandler } from "./seam.ts";
import { mayReceive, maySend, nextState, StreamEvent, StreamState } from "./stream_state.ts";
import { RecentBytes, SPARSE_ROOM } from "./recent_bytes.ts";
import { type QueuedStream, WaitingFor } from "./wait_queue.ts";
import { WindowGrowth } from "./window_growth.ts";

/** With shorter round trips the initial window is large enough for any rate that a proxy reaches. */
const LONG_ROUND_TRIP: Millis = 2;

/** Keeps a counter in the range of integers that the runtime does not allocate. */
const MOVED_MASK = 0x3fffffff;

const nothing = () => {};
/** The handler until the owner sets its own. */
const NO_HANDLER: StreamHandler = {
  onResponse: nothing,
  onData: nothing,
  onEnd: nothing,
  onFlush: nothing,
  onSendReady: nothing,
  onReset: nothing,
};

/** Implements the owner's view of a stream ({@link Stream}) and the connection's ({@link OpenStream}). */
export class H2Stream implements Stream, OpenStream {
  readonly #core: Core;
  handler: StreamHandler = NO_HANDLER;
  state = StreamState.OPEN;
  readonly sendWindow: SendWindow;
  readonly receiveWindow: ReceiveWindow;
  headersSent = false;
  headersReceived = false;
  bodyLeft = -1;
  needsFlush = false;
  waitingFor = WaitingFor.NOTHING;
  waitNext: QueuedStream | null = null;
  waitPrevious: QueuedStream | null = null;
  /** Bytes delivered to the handler and not released. */
  #unreleased = 0;
  /** Null: the path has never had a long round trip. */
  #growth: WindowGrowth | null = null;
  readonly #sent = new RecentBytes();
  /** Bytes sent and received since {@link takeMoved}, modulo 2^30. */
  #moved = 0;

  constructor(core: Core, readonly id: number) {
    this.#core = core;
    this.sendWindow = new SendWindow(core.peer.initialWindow);
    this.receiveWindow = new ReceiveWindow(core.options.streamWindow);
    // Until the peer has acknowledged our SETTINGS it may use the default window (RFC 9113 §6.9.2).
    if (core.settingsUnacknowledged > 0 && this.receiveWindow.available < INITIAL_WINDOW) {
      this.receiveWindow.available = INITIAL_WINDOW;
    }
  }

  get closed(): boolean {
    return this.state === StreamState.CLOSED;
  }

  get payloadUnit(): number {
    const { out, peer } = this.#core;
    return Math.max(1, out.unit - FRAME_HEADER * Math.ceil(out.unit / (FRAME_HEADER + peer.maxFrameSize)));
  }

  respond(headers: HeaderList, end: boolean): void {
    if (this.closed || this.#core.ended) return;
    if (this.headersSent) throw new Error(`Cannot respond on stream ${this.id} as headers were sent before`);
    this.sendHeaders(headers, end);
  }

  sendHeaders(headers: HeaderList, end: boolean): void {
    const core = this.#core;
    this.headersSent = true;
    if (end) this.#change(StreamEvent.END_SENT);
    core.writer.headers(this.id, headers, end, core.peer.maxFrameSize, core.isServer);
  }

  reserve(want: number, gatherLimit: number): Reservation | null {
    const core = this.#core;
    core.reservedBy = null;
    if (!maySend(this.state) || core.ended) return null;
    if (!this.headersSent) throw new Error(`Cannot send on stream ${this.id} as it was not answered yet`);
    if (!(want > 0)) throw new RangeError(`Cannot reserve ${want} bytes: at least 1 is needed`);
    const ownWindow = this.sendWindow.available, sharedWindow = core.sendWindow.available;
    if (ownWindow <= 0) return this.#waitFor(WaitingFor.STREAM_WINDOW);
    if (sharedWindow <= 0) return this.#waitFor(WaitingFor.CONNECTION_WINDOW);
    const most = Math.min(want, ownWindow, sharedWindow);
    const isSparse = this.#sent.areFew(core.now);
    const limit = Math.min(gatherLimit, core.gatherLimit) + (isSparse ? SPARSE_ROOM : 0);
    const reservation = core.out.layout(most, limit, core.peer.maxFrameSize);
    if (reservation === null) return this.#waitFor(isSparse ? WaitingFor.ROOM_FIRST : WaitingFor.ROOM);
    this.#waitFor(WaitingFor.NOTHING);
    core.reservedBy = this;
    return reservation;
  }

  commit(length: number, end: boolean): void {
    const core = this.#core;
    if (core.reservedBy !== this || !core.out.reservationValid) {
      throw new Error(`Cannot commit on stream ${this.id} as its reservation is gone`);
    }
    core.reservedBy = null;
    if (length === 0) {
      if (end) this.end();
      return;
    }
    const frames = core.out.commit(this.id, length, end);
    this.#sent.add(length, core.now);
    this.#moved = (this.#moved + length) & MOVED_MASK;
    this.sendWindow.spend(length);
    core.sendWindow.spend(length);
    core.budgets.dataSent(frames, length);
    if (end) this.#change(StreamEvent.END_SENT);
    core.out.announce();
  }

  end(): void {
    if (!maySend(this.state) || this.#core.ended) return;
    if (!this.headersSent) throw new Error(`Cannot end stream ${this.id} as it was not answered yet`);
    this.#change(StreamEvent.END_SENT);
    this.#core.writer.endStream(this.id);
  }

  reset(code: ErrorCode): void {
    const wasOpen = !this.closed;
    this.#drop(Closing.RESET_BY_US);
    if (wasOpen && !this.#core.ended) this.#core.writer.rstStream(this.id, code);
  }

  release(length: number): void {
    const core = this.#core;
    const released = Math.min(length, this.#unreleased);
    if (released <= 0) return;
    this.#unreleased -= released;
    core.announceCredit(0, core.credit.release(released));
    if (!mayReceive(this.state)) return;
    if (core.roundTrip >= LONG_ROUND_TRIP) this.#growWindow(released);
    core.announceCredit(this.id, this.receiveWindow.returnCredit(released, core.inFlightLimit));
  }

  // What follows is called by the connection: see OpenStream.

  onRemoved(): void {
    this.#growth?.end();
  }

  deliver(bytes: Uint8Array, start: number, end: number): void {
    this.#unreleased += end - start;
    this.#moved = (this.#moved + end - start) & MOVED_MASK;
    this.#core.requestFlush(this);
    this.handler.onData(bytes, start, end);
  }

  returnCredit(length: number): void {
    if (mayReceive(this.state)) this.#core.announceCredit(this.id, this.receiveWindow.returnCredit(length));
  }

  receiveEnd(): void {
    this.#change(StreamEvent.END_RECEIVED);
    this.notifyEnd();
  }

  markRequestEnded(): void {
    this.#change(StreamEvent.END_RECEIVED);
  }

  notifyEnd(): void {
    this.#core.requestFlush(this);
    this.handler.onEnd();
  }

  flush(): void {
    if (!this.needsFlush) return;
    this.needsFlush = false;
    this.handler.onFlush();
  }

  takeMoved(): number {
    const moved = this.#moved;
    this.#moved = 0;
    return moved;
  }

  abandon(how: H2Failure, closing: Closing): void {
    if (this.closed) return;
    this.flush(); // the handler gets what arrived before the end
    if (this.closed) return;
    this.#drop(closing);
    this.handler.onReset(how);
  }

  wake(): void {
    this.waitingFor = WaitingFor.NOTHING;
    this.handler.onSendReady();
  }

  #growWindow(released: number): void {
    const core = this.#core;
    this.#growth ??= new WindowGrowth(this.receiveWindow, core.memory.windows, core.now);
    const grown = this.#growth.released(released, core.now, core.roundTrip);
    if (grown > 0) core.credit.grow(grown);
  }

  #change(event: StreamEvent): void {
    this.state = nextState(this.state, event);
    if (!maySend(this.state)) this.#waitFor(WaitingFor.NOTHING);
    if (this.closed) this.#core.remove(this, Closing.ENDED);
  }

  #drop(closing: Closing): void {
    this.needsFlush = false;
    if (!this.closed) {
      this.state = nextState(this.state, StreamEvent.RESET);
      this.#waitFor(WaitingFor.NOTHING);
      if (this.#core.reservedBy === this) this.#core.reservedBy = null;
      this.#core.remove(this, closing);
    }
    this.#core.announceCredit(0, this.#core.credit.release(this.#unreleased));
    this.#unreleased = 0;
  }

  /** Joins the queue for `what`, leaves the previous one. A stream that waits for the same already keeps its place. */
  #waitFor(what: WaitingFor): null {
    const before = this.waitingFor;
    if (before === what) return null;
    if (before === WaitingFor.CONNECTION_WINDOW) this.#core.waitForWindow.remove(this);
    else if (before === WaitingFor.ROOM) this.#core.waitForRoom.remove(this);
    else if (before === WaitingFor.ROOM_FIRST) this.#core.waitForRoomFirst.remove(this);
    switch (what) {
      case WaitingFor.NOTHING:
      case WaitingFor.STREAM_WINDOW:
        this.waitingFor = what;
        return null;
      case WaitingFor.CONNECTION_WINDOW:
        this.#core.waitForWindow.add(this);
        return null;
      case WaitingFor.ROOM:
        this.#core.waitForRoom.add(this);
        return null;
      case WaitingFor.ROOM_FIRST:
        this.#core.waitForRoomFirst.add(this);
        return null;
      default:
        return what satisfies never;
    }
  }
}
