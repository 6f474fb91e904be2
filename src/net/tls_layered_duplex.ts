/** The secured stream over another stream. */
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

/** Bytes encrypted at once: what the stream does not take is kept, so this bounds it. */
const WRITE_UNIT = 65_536;
/** ms that a closed stream has for what the stream below has not taken. */
const LINGER_MS = 10_000;

export class LayeredTlsDuplex implements Duplex, DuplexSink {
  readonly #scheduler: Scheduler;
  readonly #layer: TlsLayer;
  readonly #plain: Duplex;
  readonly #overhead = new RecordOverhead();
  /** Bytes that the session has read, as counted by the session. */
  #seen = 0;
  #sink: DuplexSink | null = null;
  #blocked = false;
  #wantsRoom = false;
  #writeEnded = false;
  #closed = false;
  #lingering: Timer | null = null;
  /** True at first: the last flight of the handshake may have brought data with it. */
  readable = true;
  ended = false;
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

  get broken(): boolean {
    return this.#plain.broken;
  }

  start(sink: DuplexSink): void {
    if (!this.#closed) this.#sink = sink;
  }

  onReadable(): void {
    if (this.failure !== null || this.ended) return;
    this.readable = true;
    this.#sink?.onReadable();
  }

  onWritable(): void {
    if (this.#lingering !== null) return this.#linger();
    this.#push();
    if (this.#blocked || !this.#wantsRoom || this.failure !== null) return;
    this.#wantsRoom = false;
    this.#sink?.onWritable();
  }

  onFailure(ending: Ending): void {
    if (this.#lingering !== null) return this.#finish(true);
    if (this.failure !== null) return;
    this.#fail(ending);
    this.#sink?.onFailure(ending);
  }

  read(into: Uint8Array): number {
    if (this.failure !== null) return FAILED;
    if (this.ended || into.length === 0) return 0;
    for (;;) {
      const count = this.#layer.session.read(into, this.#scheduler.now());
      // Checked after each pull: a flood may continue for as long as the stream below has data.
      if (!this.#allows(Math.max(0, count))) return this.#fail(FLOOD);
      if (count > 0) {
        // The stream below may have had more than it has announced yet, and does not announce what it was read from.
        this.readable = true;
        return count;
      }
      if (count === CLOSED_BY_PEER) this.ended = true;
      if (count === BROKEN) {
        // The alert that says why.
        this.#layer.push();
        return this.#fail(this.#plain.failure ?? streamEnding(this.#layer.session.failure));
      }
      if (count === WOULD_BLOCK && this.#layer.pull()) continue;
      this.readable = false;
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
    if (this.#writeEnded || this.failure !== null) return FAILED;
    let total = 0;
    while (total < bytes.length && !this.#blocked) {
      const taken = this.#layer.session.write(bytes.subarray(total, total + WRITE_UNIT));
      if (taken <= 0) return this.#fail(streamEnding(this.#layer.session.failure));
      total += taken;
      if (!this.#push()) return FAILED;
    }
    this.#wantsRoom = total < bytes.length;
    return total;
  }

  writeGather(from: Uint8Array, segments: Segments, count: number): number {
    return writePieces(this, from, segments, count);
  }

  end(): void {
    if (this.#writeEnded || this.failure !== null) return;
    this.#writeEnded = true;
    this.#layer.session.sendCloseNotify();
    this.#push();
  }

  close(reset = false): void {
    if (this.#closed) return;
    if (!reset) this.end();
    const polite = !reset && this.failure === null;
    this.#closed = true;
    this.#sink = null;
    this.readable = false;
    this.failure ??= CLOSED;
    if (polite && this.#blocked) this.#lingering = this.#scheduler.after(LINGER_MS, () => this.#finish(true));
    else this.#finish(reset);
  }

  #linger(): void {
    const state = this.#layer.push();
    if (state !== "blocked") this.#finish(state === "failed");
  }

  #finish(reset: boolean): void {
    this.#lingering?.cancel();
    this.#lingering = null;
    this.#layer.session.free();
    this.#layer.close(reset);
  }

  /** False when the stream below failed. */
  #push(): boolean {
    const state = this.#layer.push();
    this.#blocked = state === "blocked";
    if (state === "failed") this.#fail(this.#plain.failure ?? streamEnding(null));
    // Our side of the stream below ends with close_notify.
    else if (state === "done" && this.#writeEnded) this.#plain.end();
    return state !== "failed";
  }

  #fail(ending: Ending): number {
    this.readable = false;
    this.failure ??= ending;
    return FAILED;
  }
}
