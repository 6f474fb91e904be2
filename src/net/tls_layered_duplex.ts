/** A TLS session over another stream as a {@link Duplex}. */
import type { Timer } from "./clock.ts";
import { BROKEN, CLOSED_BY_PEER, WOULD_BLOCK } from "../os/tls_native_session.ts";
import type { SocketAddress } from "./address.ts";
import { type Duplex, type DuplexSink, type Ending, FAILED, type Segments } from "./duplex.ts";
import { CLOSED } from "./endings.ts";
import type { Scheduler } from "./network.ts";
import { readPieces, writePieces } from "./piecewise.ts";
import { RecordOverhead } from "./record_overhead.ts";
import { FLOOD, streamEnding } from "./tls_endings.ts";
import type { TlsLayer } from "./tls_layer.ts";

/** Bytes that are encrypted at once. Encrypted bytes that the stream below does not take are kept, so this bounds them. */
const WRITE_UNIT = 65_536;
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
  readonly #layer: TlsLayer;
  readonly #plain: Duplex;
  readonly #overhead = new RecordOverhead();
  /** Bytes that the session has read, as counted by the session. */
  #seen = 0;
  #sink: DuplexSink | null = null;
  /** Readable at first: the last message of the handshake may have brought data with it. */
  #receiving: Receiving = "readable";
  #sending: Sending = "flushed";
  #life: "open" | "half-closed" | "lingering" | "closed" = "open";
  #lingerTimer: Timer | null = null;
  failure: Ending | null = null;
  readonly writeUnit = 1;
  readonly path = null;

  constructor(scheduler: Scheduler, layer: TlsLayer) {
    this.#scheduler = scheduler;
    this.#layer = layer;
    this.#plain = layer.plain;
    this.#seen = layer.session.bytesFromSocket();
    this.#plain.start(this);
    this.#push();
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
    const wasBlocked = this.#sending === "blocked";
    this.#push();
    if (wasBlocked && this.#sending === "flushed" && this.failure === null) this.#sink?.onWritable();
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
    for (;;) {
      const count = this.#layer.session.read(into, this.#scheduler.now());
      // Checked after each pull: a flood may continue for as long as the stream below has data.
      if (!this.#allows(Math.max(0, count))) return this.#fail(FLOOD);
      if (count > 0) {
        // `pull` may have read bytes of the stream below before it announced them. It does not announce them any more.
        this.#receiving = "readable";
        return count;
      }
      if (count === CLOSED_BY_PEER) this.#receiving = "ended";
      if (count === BROKEN) {
        // Sends the alert with the reason.
        this.#layer.push();
        return this.#fail(this.#plain.failure ?? streamEnding(this.#layer.session.failure));
      }
      if (count === WOULD_BLOCK && this.#layer.pull()) continue;
      this.#noMoreNow();
      return this.#plain.failure === null || this.ended ? 0 : this.#fail(this.#plain.failure);
    }
  }

  #allows(data: number): boolean {
    const seen = this.#layer.session.bytesFromSocket();
    const wire = (seen - this.#seen) >>> 0;
    this.#seen = seen;
    return this.#overhead.allows(wire, data);
  }

  readScatter(into: Uint8Array, segments: Segments, count: number): number {
    return readPieces(this, into, segments, count);
  }

  write(bytes: Uint8Array): number {
    if (this.#life !== "open" || this.failure !== null) return FAILED;
    let total = 0;
    while (total < bytes.length && this.#sending === "flushed") {
      const taken = this.#layer.session.write(bytes.subarray(total, total + WRITE_UNIT));
      if (taken <= 0) return this.#fail(streamEnding(this.#layer.session.failure));
      total += taken;
      if (!this.#push()) return FAILED;
    }
    if (this.#sending !== "flushed") this.#sending = total < bytes.length ? "blocked" : "unflushed";
    return total;
  }

  writeGather(from: Uint8Array, segments: Segments, count: number): number {
    return writePieces(this, from, segments, count);
  }

  end(): void {
    if (this.#life !== "open" || this.failure !== null) return;
    this.#life = "half-closed";
    this.#layer.session.sendCloseNotify();
    this.#push();
  }

  close(reset = false): void {
    if (this.#isClosed) return;
    if (!reset) this.end();
    const polite = !reset && this.failure === null;
    this.#sink = null;
    this.#noMoreNow();
    this.failure ??= CLOSED;
    if (!polite || this.#sending === "flushed") return this.#finish(reset);
    this.#life = "lingering";
    this.#lingerTimer = this.#scheduler.after(LINGER_MS, () => this.#finish(true));
  }

  get #isClosed(): boolean {
    return this.#life === "lingering" || this.#life === "closed";
  }

  #linger(): void {
    const state = this.#layer.push();
    if (state !== "blocked") this.#finish(state === "failed");
  }

  #finish(reset: boolean): void {
    this.#life = "closed";
    this.#lingerTimer?.cancel();
    this.#layer.session.free();
    this.#layer.close(reset);
  }

  /** False when the stream below failed. */
  #push(): boolean {
    const state = this.#layer.push();
    if (state !== "blocked") this.#sending = "flushed";
    else if (this.#sending === "flushed") this.#sending = "unflushed";
    if (state === "failed") this.#fail(this.#plain.failure ?? streamEnding(null));
    // Our direction of the stream below ends once close_notify is written.
    else if (state === "done" && this.#life === "half-closed") this.#plain.end();
    return state !== "failed";
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
