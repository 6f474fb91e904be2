/** A TLS session over another stream as a {@link Duplex}. */
import type { Timer } from "./clock.ts";
import type { TlsFailure } from "../os/tls_failure.ts";
import type { SocketAddress } from "./address.ts";
import { type Duplex, type DuplexSink, type Ending, FAILED, type Segments } from "./duplex.ts";
import { CLOSED } from "./endings.ts";
import type { Scheduler } from "./network.ts";
import { readPieces, writePieces } from "./piecewise.ts";
import { dataOf } from "./record_limits.ts";
import { RecordOverhead } from "./record_overhead.ts";
import { FLOOD, streamEnding } from "./tls_endings.ts";
import { BROKEN, type TlsSession } from "./tls_session.ts";

/** ms in which a closed stream may write what the stream below has not taken. */
const LINGER_MS = 10_000;

type Receiving = "drained" | "readable" | "ended";
/**
 * Unflushed: the stream below has not taken all encrypted bytes. Blocked: a write was not taken whole either, and the
 * user is notified when there is room.
 */
type Sending = "flushed" | "unflushed" | "blocked";

/**
 * A failure, or our `close`, is in `failure` and ends both directions. Otherwise they are independent:
 *
 *     receiving:  drained ◀──event, all was read──▶ readable ──close_notify was read──▶ ended
 *     sending:    flushed ◀──room, stream below is full──▶ unflushed ──write──▶ blocked ──room──▶ flushed
 *     life:       open ──end──▶ half-closed ──close──▶ lingering, until close_notify is written ──▶ closed
 */
export class LayeredTlsDuplex implements Duplex, DuplexSink {
  readonly #scheduler: Scheduler;
  readonly #plain: Duplex;
  readonly #session: TlsSession;
  readonly #overhead = new RecordOverhead();
  #sink: DuplexSink | null = null;
  /** Readable at first: the last message of the handshake may have brought data with it. */
  #receiving: Receiving = "readable";
  #sending: Sending = "flushed";
  #life: "open" | "half-closed" | "lingering" | "closed" = "open";
  #lingerTimer: Timer | null = null;
  failure: Ending | null = null;
  readonly writeUnit: number;
  readonly path = null;

  /** Takes over `session`, whose carrier is `plain`, and `plain`. */
  constructor(scheduler: Scheduler, plain: Duplex, session: TlsSession) {
    this.#scheduler = scheduler;
    this.#plain = plain;
    this.#session = session;
    this.writeUnit = dataOf(plain.writeUnit);
    plain.start(this);
    this.#flush();
  }

  get local(): SocketAddress {
    return this.#plain.local;
  }

  get remote(): SocketAddress {
    return this.#plain.remote;
  }

  get readable(): boolean {
    return this.#receiving === "readable";
  }

  get ended(): boolean {
    return this.#receiving === "ended";
  }

  get broken(): boolean {
    return this.#plain.broken;
  }

  start(sink: DuplexSink): void {
    if (!this.#isClosed) this.#sink = sink;
  }

  onReadable(): void {
    if (this.failure !== null || this.#receiving === "ended") return;
    this.#receiving = "readable";
    this.#sink?.onReadable();
  }

  onWritable(): void {
    if (this.#life === "lingering") return this.#linger();
    if (this.failure !== null) return;
    const wasBlocked = this.#sending === "blocked";
    this.#flush();
    // It has changed meanwhile: the stream below may have failed.
    const failure = this.failure as Ending | null;
    if (failure !== null) this.#sink?.onFailure(failure);
    else if (wasBlocked && this.#sending === "flushed") this.#sink?.onWritable();
  }

  onFailure(ending: Ending): void {
    if (this.#life === "lingering") return this.#finish(true);
    if (this.failure !== null) return;
    this.#fail(ending);
    this.#sink?.onFailure(ending);
  }

  read(into: Uint8Array): number {
    if (this.failure !== null) return FAILED;
    if (this.#receiving === "ended" || into.length === 0) return 0;
    const session = this.#session;
    const count = session.read(into, this.#scheduler.now(), true);
    if (!this.#overhead.allows(session.wireBytes, Math.max(0, count))) return this.#fail(FLOOD);
    if (count === BROKEN) return this.#failWith(session.failure);
    if (session.remainder === "end") this.#receiving = "ended";
    else {
      // The session may have read bytes before the stream below announced them, which it does not do any more then.
      const mayHaveMore = session.remainder === "more" || this.#plain.readable || this.#plain.ended;
      this.#receiving = mayHaveMore ? "readable" : "drained";
    }
    return count;
  }

  readScatter(into: Uint8Array, segments: Segments, count: number): number {
    return readPieces(this, into, segments, count);
  }

  write(bytes: Uint8Array): number {
    if (this.#life !== "open" || this.failure !== null) return FAILED;
    if (bytes.length === 0) return 0;
    const taken = this.#session.write(bytes);
    if (taken === BROKEN) return this.#failWith(this.#session.failure);
    if (taken < bytes.length) this.#sending = "blocked";
    else this.#noteFlush(this.#session.isFlushed);
    return taken;
  }

  writeGather(from: Uint8Array, segments: Segments, count: number): number {
    return writePieces(this, from, segments, count);
  }

  end(): void {
    if (this.#life !== "open" || this.failure !== null) return;
    this.#life = "half-closed";
    this.#session.sendCloseNotify();
    this.#flush();
  }

  close(reset = false): void {
    if (this.#isClosed) return;
    if (!reset) this.end();
    const polite = !reset && this.failure === null;
    this.#sink = null;
    this.#noMoreNow();
    this.failure ??= CLOSED;
    if (!polite || this.#session.isFlushed) return this.#finish(reset);
    this.#life = "lingering";
    this.#lingerTimer = this.#scheduler.after(LINGER_MS, () => this.#finish(true));
  }

  get #isClosed(): boolean {
    return this.#life === "lingering" || this.#life === "closed";
  }

  #linger(): void {
    if (this.#session.flush()) this.#finish(false);
    else if (this.#session.failure !== null) this.#finish(true);
  }

  #finish(reset: boolean): void {
    this.#life = "closed";
    this.#lingerTimer?.cancel();
    this.#session.free();
    this.#plain.close(reset);
  }

  #flush(): void {
    const flushed = this.#session.flush();
    if (this.#session.failure !== null) return void this.#failWith(this.#session.failure);
    if (flushed) this.#sending = "flushed";
    else this.#noteFlush(false);
    // Our direction of the stream below ends once close_notify is written.
    if (flushed && this.#life === "half-closed") this.#plain.end();
  }

  /** `flushed`: the session has nothing that the stream below has not taken. */
  #noteFlush(flushed: boolean): void {
    if (this.#sending !== "blocked") this.#sending = flushed ? "flushed" : "unflushed";
  }

  /** The stream below says more about its own failures than the session, which only finds an end. */
  #failWith(failure: TlsFailure | null): number {
    const isBelow = failure === null || failure.kind === "eof";
    return this.#fail(isBelow && this.#plain.failure !== null ? this.#plain.failure : streamEnding(failure));
  }

  #fail(ending: Ending): number {
    this.#noMoreNow();
    this.failure ??= ending;
    return FAILED;
  }

  #noMoreNow(): void {
    if (this.#receiving === "readable") this.#receiving = "drained";
  }
}
