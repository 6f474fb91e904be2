/**
 * Joins an HTTP/2 connection, which knows no socket, to a stream of bytes: reads into the loop's input buffer, hands
 * the frames of all streams to the kernel once at the end of the turn, and keeps the connection's timer.
 */
import type { Timer } from "../net/clock.ts";
import { type Connection } from "../h2/seam.ts";
import { type Duplex, type DuplexSink, type Ending, FAILED } from "../net/duplex.ts";
import type { TurnTask } from "../net/network.ts";
import type { Loop } from "../net/loop.ts";
import { Pacing } from "./pacing.ts";

/** ms without progress that the last frames of a connection may take. */
const LAST_WORDS = 1000;
/** One TLS record. */
const FIRST_READ = 16_384;

export class Transport implements DuplexSink {
  readonly duplex: Duplex;
  readonly #loop: Loop;
  readonly #connection: Connection;
  readonly #readTask: TurnTask = { runTurn: () => this.#read() };
  readonly #flushTask: TurnTask = { runTurn: () => this.#flush() };
  readonly #onClosed: () => void;
  /** The socket is gone, its streams are still being told. */
  #gone = false;
  /** What is read may wait for its turn in memory, so a peer earns large reads by bytes that are no work. */
  #trusted = false;
  readonly #pacing: Pacing | null;
  #timer: Timer | null = null;
  /** When `#timer` is due. */
  #dueAt = Infinity;
  #blocked = false;
  #closed = false;

  /** `onClosed`: the stream of bytes is closed, whoever did it; the connection has ended before. */
  constructor(loop: Loop, duplex: Duplex, connection: Connection, onClosed: () => void = () => {}) {
    this.#loop = loop;
    this.duplex = duplex;
    this.#connection = connection;
    this.#onClosed = onClosed;
    this.#pacing = duplex.path && new Pacing(connection, duplex.path);
  }

  start(): void {
    this.#connection.alignOutput(this.duplex.writeUnit);
    this.duplex.start(this);
    if (this.duplex.readable) this.#loop.network.nextTurn(this.#readTask);
    this.flushSoon();
    this.#armTimer();
  }

  /** The connection has output: `ConnectionHandler.onOutput` calls this. */
  flushSoon(): void {
    if (!this.#blocked && !this.#closed) this.#loop.network.atTurnEnd(this.#flushTask);
  }

  /** A deadline of the connection may have moved forward. */
  deadlineMoved(): void {
    if (this.#connection.ended) return;
    this.#timer?.cancel();
    this.#armTimer();
  }

  /** Ends the connection at once, with GOAWAY; its streams are told `reason`. */
  abandon(reason: string): void {
    if (this.#closed || this.#connection.ended) return;
    this.#connection.abandon(reason, this.#loop.network.now());
    this.#goOn();
  }

  /** The connection has ended: `ConnectionHandler.onEnd` calls this. It closes when its last frames have left. */
  connectionEnded(): void {
    this.#limitLastWords();
    this.flushSoon();
  }

  onReadable(): void {
    // Else it has its turn already.
    if (!this.#connection.hasPendingWork) this.#read();
  }

  #read(): void {
    const { input, portions, network } = this.#loop;
    if (this.#closed) return;
    if (this.#connection.hasPendingWork) return this.#resume();
    if (this.#connection.ended) return;
    this.#connection.limitInFlight(portions.inFlight);
    for (let pass = portions.receivePasses; pass > 0; pass--) {
      const count = this.duplex.read(this.#trusted ? input : input.subarray(0, FIRST_READ));
      if (count > 0) {
        this.#pacing?.received(count);
        this.#connection.receive(input, 0, count, network.now());
      }
      if (this.#closed) return;
      this.#trusted = !this.#connection.hasPendingWork;
      if (!this.#trusted) return this.#goOn();
      if (this.#connection.ended) return;
      if (count === FAILED) return this.#failed();
      if (this.duplex.ended) return this.#lost("the peer closed the connection");
      if (!this.duplex.readable) return this.#watchDeadline();
    }
    network.nextTurn(this.#readTask);
  }

  /** The connection has more to do, in its turn. */
  #goOn(): void {
    if (this.#connection.hasPendingWork) this.#loop.rounds.add(this.#readTask);
  }

  #resume(): void {
    const { network } = this.#loop;
    this.#connection.resume(network.now());
    if (this.#closed) return;
    if (this.#connection.hasPendingWork) return this.#goOn();
    if (this.#gone) return this.close();
    if (this.#connection.ended) return;
    if (this.duplex.readable || this.duplex.ended) return network.nextTurn(this.#readTask);
    this.#watchDeadline();
  }

  onWritable(): void {
    this.#blocked = false;
    this.#flush();
  }

  onFailure(ending: Ending): void {
    this.#lost(ending.message);
  }

  /** Lets go of the socket at once; what is still queued is lost. */
  close(reset = false): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    this.duplex.close(reset);
    this.#onClosed();
  }

  #flush(): void {
    if (this.#closed || this.#blocked) return;
    const state = this.#connection.flushTo(this.duplex);
    if (state === "failed") return this.#failed();
    this.#pacing?.flushed(state, this.#loop.network.now());
    this.#blocked = state === "blocked";
    if (this.#connection.hasPendingWork) return this.#goOn();
    if (!this.#connection.ended) return;
    if (this.#blocked) this.#limitLastWords();
    else this.close();
  }

  /** A peer that does not read gets a moment, not more. */
  #limitLastWords(): void {
    if (this.#closed) return;
    this.#timer?.cancel();
    this.#timer = this.#loop.network.after(LAST_WORDS, () => this.close());
  }

  #failed(): void {
    const { failure } = this.duplex;
    // Such as a flood of records without data: not an accident of the transport, but a breach that we found.
    this.#lost(failure?.message ?? "the connection broke", failure?.by === "us");
  }

  #lost(reason: string, byUs = false): void {
    if (this.#closed || this.#gone) return;
    this.#gone = true;
    this.#connection.transportFailed(reason, byUs);
    this.duplex.close();
    if (this.#connection.hasPendingWork) this.#goOn();
    else this.close();
  }

  /** What was received may have brought the next deadline forward. */
  #watchDeadline(): void {
    if ((this.#connection.nextDeadline() ?? Infinity) < this.#dueAt) this.deadlineMoved();
  }

  #armTimer(): void {
    const at = this.#connection.nextDeadline();
    if (at === null || this.#closed) return;
    const { network } = this.#loop;
    this.#dueAt = at;
    this.#timer = network.after(Math.max(0, at - network.now()), () => {
      this.#connection.tick(network.now());
      this.#goOn();
      this.#armTimer();
    });
  }
}
