/**
 * Connects an HTTP/2 connection, which has no socket and no clock, with a stream of bytes: reads into the loop's input
 * buffer, writes the frames of all streams once at the end of the turn, and runs the connection's timer.
 */
import { type Connection } from "../h2/seam.ts";
import type { Timer } from "../net/clock.ts";
import { type Duplex, type DuplexSink, type Ending, FAILED } from "../net/duplex.ts";
import type { SegmentCounts } from "../net/network_path.ts";
import type { TurnTask } from "../net/network.ts";
import type { Loop } from "../net/loop.ts";
import { Pacing } from "./pacing.ts";

/** Time without progress, in ms, after which the last frames of a connection are dropped. */
const FLUSH_TIMEOUT = 1000;
/** Size of the first read, in bytes: one TLS record, with the padding that it may have. */
const FIRST_READ = 16_640;

/**
 * ```
 *  OPEN ◀──writable / the socket takes no more──▶ BLOCKED
 *    │                                              │
 *    ├──────── the socket failed or ended ──────────┤
 *    │                  ▼                           │
 *    │                LOST ──streams notified──┐    │
 *    ▼                                         ▼    ▼
 *  CLOSED ◀── from every state: `close`; last frames of an ended connection written, or too late
 * ```
 * In LOST the socket is closed, and streams of the connection are left to be notified.
 */
enum State {
  OPEN,
  /** The socket takes no more bytes for now. */
  BLOCKED,
  LOST,
  CLOSED,
}

/** One connection and its stream of bytes. The owner forwards `onOutput` and `onEnd` of the connection. */
export class Transport implements DuplexSink {
  readonly duplex: Duplex;
  readonly #loop: Loop;
  readonly #connection: Connection;
  readonly #readTask: TurnTask = { runTurn: () => this.#read() };
  readonly #flushTask: TurnTask = { runTurn: () => this.#flush() };
  readonly #onClosed: () => void;
  #state = State.OPEN;
  /**
   * The last read was processed within the work budget, so the next one may be large. Bytes above the budget wait in
   * memory.
   */
  #mayReadMuch = false;
  readonly #pacing: Pacing | null;
  #timer: Timer | null = null;
  /** When {@link #timer} is due. */
  #dueAt = Infinity;

  /**
   * `onClosed` is called when the stream of bytes is closed, for whatever reason; the connection has ended before.
   * `onBulk`: see {@link Pacing}.
   */
  constructor(
    loop: Loop,
    duplex: Duplex,
    connection: Connection,
    onClosed: () => void = () => {},
    onBulk?: () => void,
  ) {
    this.#loop = loop;
    this.duplex = duplex;
    this.#connection = connection;
    this.#onClosed = onClosed;
    this.#pacing = duplex.path && new Pacing(connection, duplex.path, onBulk);
  }

  /** Starts reading, and sends the preface. */
  start(): void {
    this.#connection.alignOutput(this.duplex.writeUnit);
    this.duplex.start(this);
    if (this.duplex.readable) this.#loop.network.nextTurn(this.#readTask);
    this.flushSoon();
    this.#armTimer();
  }

  /** Segments of the connection so far; null: the socket is closed, or the system does not count them. */
  countSegments(): SegmentCounts | null {
    // The descriptor of a closed socket may be in use for another one.
    if (this.#state === State.LOST || isClosed(this.#state)) return null;
    return this.duplex.path?.countSegments() ?? null;
  }

  /** The connection has output: `ConnectionHandler.onOutput` calls this. */
  flushSoon(): void {
    if (this.#state === State.OPEN) this.#loop.network.atTurnEnd(this.#flushTask);
  }

  /** A deadline of the connection may have moved forward. */
  deadlineMoved(): void {
    if (this.#connection.ended) return;
    this.#timer?.cancel();
    this.#armTimer();
  }

  /** Ends the connection at once with GOAWAY; its streams get `onReset` with `reason`. */
  abandon(reason: string): void {
    if (isClosed(this.#state) || this.#connection.ended) return;
    this.#connection.abandon(reason, this.#loop.network.now());
    this.#scheduleWork();
  }

  /**
   * The connection has ended: `ConnectionHandler.onEnd` calls this. Closes the stream of bytes after the last frames.
   */
  connectionEnded(): void {
    this.#limitFlushTime();
    this.flushSoon();
  }

  onReadable(): void {
    // With pending work, the read task is scheduled already.
    if (!this.#connection.hasPendingWork) this.#read();
  }

  #read(): void {
    const { input, portions, network } = this.#loop;
    if (isClosed(this.#state)) return;
    if (this.#connection.hasPendingWork) return this.#resume();
    if (this.#connection.ended) return;
    this.#connection.limitInFlight(portions.inFlight);
    for (let pass = portions.receivePasses; pass > 0; pass--) {
      const count = this.duplex.read(this.#mayReadMuch ? input : input.subarray(0, FIRST_READ));
      if (count > 0) {
        this.#pacing?.received(count);
        this.#connection.receive(input, 0, count, network.now());
      }
      if (isClosed(this.#state)) return;
      this.#mayReadMuch = !this.#connection.hasPendingWork;
      if (!this.#mayReadMuch) return this.#scheduleWork();
      if (this.#connection.ended) return;
      if (count === FAILED) return this.#failed();
      if (this.duplex.ended) return this.#lost("the peer closed the connection");
      if (!this.duplex.readable) return this.#checkDeadline();
    }
    network.nextTurn(this.#readTask);
  }

  /** Schedules the read task where the connection has pending work. */
  #scheduleWork(): void {
    if (this.#connection.hasPendingWork) this.#loop.rounds.add(this.#readTask);
  }

  #resume(): void {
    const { network } = this.#loop;
    this.#connection.resume(network.now());
    if (isClosed(this.#state)) return;
    if (this.#connection.hasPendingWork) return this.#scheduleWork();
    if (this.#state === State.LOST) return this.close();
    if (this.#connection.ended) return;
    if (this.duplex.readable || this.duplex.ended) return network.nextTurn(this.#readTask);
    this.#checkDeadline();
  }

  onWritable(): void {
    if (this.#state === State.BLOCKED) this.#state = State.OPEN;
    this.#flush();
  }

  onFailure(ending: Ending): void {
    this.#lost(ending.message);
  }

  /** Closes the socket at once; frames that are still queued are dropped. */
  close(reset = false): void {
    if (isClosed(this.#state)) return;
    this.#state = State.CLOSED;
    this.#timer?.cancel();
    this.duplex.close(reset);
    this.#onClosed();
  }

  #flush(): void {
    if (this.#state !== State.OPEN) return;
    const result = this.#connection.flushTo(this.duplex);
    if (result === "failed") return this.#failed();
    this.#pacing?.flushed(result, this.#loop.network.now());
    if (result === "blocked" && this.#state === State.OPEN) this.#state = State.BLOCKED;
    if (this.#connection.hasPendingWork) return this.#scheduleWork();
    if (!this.#connection.ended) return;
    if (result === "blocked") this.#limitFlushTime();
    else this.close();
  }

  /** Limits the time for the last frames, since the peer may not read. */
  #limitFlushTime(): void {
    if (isClosed(this.#state)) return;
    this.#timer?.cancel();
    this.#timer = this.#loop.network.after(FLUSH_TIMEOUT, () => this.close());
  }

  #failed(): void {
    const { failure } = this.duplex;
    // "us": a breach that we found, such as many records without data, and not an error of the transport.
    this.#lost(failure?.message ?? "the connection broke", failure?.by === "us");
  }

  #lost(reason: string, byUs = false): void {
    if (this.#state === State.LOST || isClosed(this.#state)) return;
    this.#state = State.LOST;
    this.#connection.transportFailed(reason, byUs);
    this.duplex.close();
    if (this.#connection.hasPendingWork) this.#scheduleWork();
    else this.close();
  }

  /** Received bytes may have moved the next deadline forward. */
  #checkDeadline(): void {
    if ((this.#connection.nextDeadline() ?? Infinity) < this.#dueAt) this.deadlineMoved();
  }

  #armTimer(): void {
    const at = this.#connection.nextDeadline();
    if (at === null || isClosed(this.#state)) return;
    const { network } = this.#loop;
    this.#dueAt = at;
    this.#timer = network.after(Math.max(0, at - network.now()), () => {
      this.#connection.tick(network.now());
      this.#scheduleWork();
      this.#armTimer();
    });
  }
}

/** A function, since a comparison in place would narrow the type of the state beyond calls that change it. */
function isClosed(state: State): boolean {
  return state === State.CLOSED;
}
