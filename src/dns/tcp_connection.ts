/**
 * A client's TCP connection (`docs/spec/inpod-dns.md` B5.2): one message after the other, each answered before the next
 * is read, so a client that does not read its answers is not read either.
 *
 *             ┌───────────── next message ──────────────┐
 *             ▼                                         │
 *     ──▶ reading ──message──▶ serving ──answer──▶ writing ──▶ closed
 *             │                  └─zone transfer─▶ given ────────┤
 *             └── 5 s without a message, the end, ───────┴──5 s──▲
 *                 finishing and all that came is answered
 */
import type { Millis, Timer } from "../net/clock.ts";
import type { SocketAddress } from "../net/address.ts";
import { type Duplex, type DuplexSink, FAILED } from "../net/duplex.ts";
import type { Scheduler, TurnTask } from "../net/network.ts";
import type { Rounds } from "../net/rounds.ts";
import { framed, FrameReader } from "./frames.ts";
import type { Waiting } from "./forwarder.ts";
import type { Asker, QueryService } from "./query_service.ts";
import type { GivenStream } from "./zone_transfer.ts";

/** For a whole message to come, and for an answer to be taken. */
const IDLE_TIMEOUT: Millis = 5000;
/** Messages and reads of one turn; then other connections are served. Each costs up to 0.1 ms. */
const STEPS_PER_TURN = 4;

export class TcpConnection implements Asker, DuplexSink, TurnTask {
  readonly protocol = "tcp";
  readonly #scheduler: Scheduler;
  readonly #rounds: Rounds;
  readonly #duplex: Duplex;
  readonly #service: QueryService;
  readonly #onClosed: (connection: TcpConnection) => void;
  readonly #frames = new FrameReader();
  #state: "reading" | "serving" | "writing" | "given" | "closed" = "reading";
  #waiting: Waiting | null = null;
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

  start(): void {
    this.#duplex.start(this);
    this.#expect();
    if (this.#duplex.readable) this.onReadable();
  }

  /** Answers what has come, or the first message where none has come yet, and closes. */
  finish(): void {
    this.#finishing = true;
    this.#rounds.take(this);
  }

  /** Idempotent. */
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
    // Out of a callback of somebody else: what has come meanwhile was not looked at.
    if (wasWaiting) this.#rounds.add(this);
  }

  ignore(): void {
    if (this.#state !== "serving") return;
    this.#state = "reading";
    this.#expect();
  }

  /** Its end closes this too; until then this only counts. */
  giveStream(message: Uint8Array): GivenStream {
    this.#state = "given";
    const frame = framed(message);
    const rest = this.#frames.takeRest();
    const early = new Uint8Array(frame.length + rest.length);
    early.set(frame);
    early.set(rest, frame.length);
    return { duplex: this.#duplex, early, onEnd: () => this.close() };
  }

  /** Serves what has come, as far as it goes now. */
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
    // An answer may have come already.
    if (this.#isServing()) this.#waiting = waiting;
  }

  /** False: nothing more can be read now. */
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

  /** As a method, since the type checker would hold on to what was assigned before. */
  #isServing(): boolean {
    return this.#state === "serving";
  }
}
