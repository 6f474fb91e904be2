/**
 * A client's TCP connection (`docs/spec/inpod-dns.md` B5.2). Each message is answered before the next is read, so
 * nothing is read from a client that does not read its answers.
 *
 *             ┌───────────── next message ──────────────┐
 *             ▼                                         │
 *     ──▶ reading ──message──▶ serving ──answer──▶ writing ──▶ closed
 *             │                  └─zone transfer─▶ detached ─────┤
 *             └── 5 s without a message, the end, ───────┴──5 s──▲
 *                 finishing and all received messages answered
 */
import type { SocketAddress } from "../net/address.ts";
import type { Millis, Timer } from "../net/clock.ts";
import { type Duplex, type DuplexSink, FAILED } from "../net/duplex.ts";
import type { Scheduler, TurnTask } from "../net/network.ts";
import type { Rounds } from "../net/rounds.ts";
import { framed, FrameReader } from "./frames.ts";
import type { PendingQuery } from "./forwarder.ts";
import type { QueryService, Requester } from "./query_service.ts";
import type { DetachedStream } from "./zone_transfer.ts";

/** Time for a complete message to arrive, and for an answer to be sent. */
const IDLE_TIMEOUT: Millis = 5000;
/** Messages and reads in one turn, before other connections are served. Each takes up to 0.1 ms. */
const STEPS_PER_TURN = 4;

/** Serves a connection from {@link start} to its end. */
export class TcpConnection implements Requester, DuplexSink, TurnTask {
  readonly protocol = "tcp";
  readonly #scheduler: Scheduler;
  readonly #rounds: Rounds;
  readonly #duplex: Duplex;
  readonly #service: QueryService;
  readonly #onClosed: (connection: TcpConnection) => void;
  readonly #frames = new FrameReader();
  #state: "reading" | "serving" | "writing" | "detached" | "closed" = "reading";
  #waiting: PendingQuery | null = null;
  #unsent: Uint8Array | null = null;
  #timer: Timer | null = null;
  #finishing = false;
  #served = false;

  /** `rounds`: shared with the other connections of the isolate. */
  constructor(
    scheduler: Scheduler,
    rounds: Rounds,
    duplex: Duplex,
    service: QueryService,
    onClosed: (connection: TcpConnection) => void,
  ) {
    this.#scheduler = scheduler;
    this.#rounds = rounds;
    this.#duplex = duplex;
    this.#service = service;
    this.#onClosed = onClosed;
  }

  get address(): SocketAddress {
    return this.#duplex.remote;
  }

  /** Begins to read. */
  start(): void {
    this.#duplex.start(this);
    this.#expect();
    if (this.#duplex.readable) this.onReadable();
  }

  /** Closes when all received messages are answered. Where none has arrived, the first one is still answered. */
  finish(): void {
    this.#finishing = true;
    this.#rounds.take(this);
  }

  /** Closes the connection at once. Idempotent. */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#timer?.cancel();
    this.#waiting?.abort();
    this.#frames.clear();
    this.#duplex.close();
    this.#onClosed(this);
  }

  onReadable(): void {
    if (this.#duplex.broken) return this.close();
    if (this.#state === "reading") this.#rounds.take(this);
  }

  onWritable(): void {
    if (this.#state !== "writing") return;
    this.#write();
    this.#rounds.take(this);
  }

  onFailure(): void {
    this.close();
  }

  answer(bytes: Uint8Array): void {
    if (this.#state !== "serving") return;
    const wasWaiting = this.#waiting !== null;
    this.#waiting = null;
    this.#unsent = framed(bytes);
    this.#state = "writing";
    this.#expect();
    this.#write();
    // The answer came later and from a callback: bytes that arrived in the meantime have not been read.
    if (wasWaiting) this.#rounds.add(this);
  }

  ignore(): void {
    if (this.#state !== "serving") return;
    this.#state = "reading";
    this.#expect();
  }

  /** Hands over the stream. Until its end this object only counts as an open connection. */
  detachStream(message: Uint8Array): DetachedStream {
    this.#state = "detached";
    const frame = framed(message);
    const rest = this.#frames.takeRest();
    const early = new Uint8Array(frame.length + rest.length);
    early.set(frame);
    early.set(rest, frame.length);
    return { duplex: this.#duplex, early, onEnd: () => this.close() };
  }

  /** Serves received messages within the limit of one turn. */
  runTurn(): void {
    for (let step = 0; this.#state === "reading"; step++) {
      if (step === STEPS_PER_TURN) return this.#rounds.add(this);
      const message = this.#frames.next();
      if (message !== null) this.#serve(message);
      else if (!this.#read()) return;
    }
  }

  #serve(message: Uint8Array): void {
    this.#state = "serving";
    this.#served = true;
    this.#timer?.cancel();
    const waiting = this.#service.serve(message, this);
    // The answer may have been sent already, from inside the call.
    if (this.#isServing()) this.#waiting = waiting;
  }

  /** False: there is nothing more to read now. */
  #read(): boolean {
    const duplex = this.#duplex;
    if (duplex.ended) {
      this.close();
      return false;
    }
    if (!duplex.readable) {
      if (this.#finishing && this.#served) this.close();
      return false;
    }
    if (this.#frames.readFrom(duplex) !== FAILED) return true;
    this.close();
    return false;
  }

  #write(): void {
    const taken = this.#duplex.write(this.#unsent!);
    if (taken === FAILED) return this.close();
    if (taken < this.#unsent!.length) {
      this.#unsent = this.#unsent!.subarray(taken);
      return;
    }
    this.#unsent = null;
    this.#state = "reading";
    this.#expect();
  }

  #expect(): void {
    this.#timer?.cancel();
    this.#timer = this.#scheduler.after(IDLE_TIMEOUT, () => this.close());
  }

  /** A method, since the type checker would assume the value that was assigned before. */
  #isServing(): boolean {
    return this.#state === "serving";
  }
}
