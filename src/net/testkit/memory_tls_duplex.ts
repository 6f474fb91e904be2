/** The stream of the simulated TLS: writes take all or nothing, the end is an alert, other alerts are failures. */
import type { SocketAddress } from "../address.ts";
import { type Duplex, type DuplexSink, type Ending, FAILED, type Segments } from "../duplex.ts";
import { CLOSED } from "../endings.ts";
import { BROKEN_PIPE, tlsAlert, tlsBroken } from "./memory_endings.ts";
import type { MemoryScheduler } from "./memory_scheduler.ts";
import { ALERT, DATA, type RecordChannel } from "./memory_tls_records.ts";

/** An alert without a text is close_notify. */
const CLOSE_NOTIFY = new Uint8Array(0);

/** One end of a secured stream. */
export class MemoryTlsDuplex implements Duplex, DuplexSink {
  readonly #scheduler: MemoryScheduler;
  readonly #channel: RecordChannel;
  readonly #plain: Duplex;
  #sink: DuplexSink | null = null;
  /** True at first: the last message of the handshake may have brought data with it. */
  #readable = true;
  #ended = false;
  #failure: Ending | null = null;
  readonly writeUnit = 1;
  readonly path = null;
  #closed = false;
  #ending = false;
  /** How many bytes of a write that is retried were framed already. */
  #framed = 0;

  constructor(scheduler: MemoryScheduler, channel: RecordChannel) {
    this.#scheduler = scheduler;
    this.#channel = channel;
    this.#plain = channel.plain;
    channel.user = this;
  }

  get local(): SocketAddress {
    return this.#plain.local;
  }

  get remote(): SocketAddress {
    return this.#plain.remote;
  }

  get readable(): boolean {
    return this.#readable;
  }

  get ended(): boolean {
    return this.#ended;
  }

  get broken(): boolean {
    return this.#plain.broken;
  }

  get failure(): Ending | null {
    return this.#failure;
  }

  start(sink: DuplexSink): void {
    if (this.#closed) return;
    this.#sink = sink;
    if (this.#failure !== null) this.#scheduler.report({ runTurn: () => this.#announceFailure() });
  }

  read(into: Uint8Array): number {
    let taken = 0;
    while (taken < into.length && !this.#ended && this.#failure === null) {
      const head = this.#channel.next();
      if (head === "data") {
        taken += this.#channel.takeData(into.subarray(taken));
        continue;
      }
      if (head === null) this.#atEndOfInput(taken);
      else this.#atMessage(head, taken);
      break;
    }
    this.#readable = this.#mayHaveMore();
    return taken === 0 && this.#failure !== null ? FAILED : taken;
  }

  readScatter(into: Uint8Array, segments: Segments, count: number): number {
    let asked = 0;
    for (let i = 0; i < count; i++) asked += segments[2 * i + 1]!;
    const bytes = new Uint8Array(asked);
    const taken = this.read(bytes);
    for (let i = 0, from = 0; i < count && from < taken; i++) {
      const length = Math.min(segments[2 * i + 1]!, taken - from);
      into.set(bytes.subarray(from, from + length), segments[2 * i]!);
      from += length;
    }
    return taken;
  }

  write(bytes: Uint8Array, _last?: boolean): number {
    if (this.#ending) this.#failure ??= BROKEN_PIPE;
    if (this.#failure !== null) return FAILED;
    if (bytes.length < this.#framed) {
      // SSL_R_BAD_WRITE_RETRY: a mistake of the caller.
      throw new Error(`bad write retry: ${bytes.length} bytes offered, ${this.#framed} before`);
    }
    if (bytes.length > this.#framed) this.#channel.send(DATA, bytes.subarray(this.#framed));
    this.#framed = bytes.length;
    if (this.#channel.flush()) {
      this.#framed = 0;
      return bytes.length;
    }
    this.#failure ??= this.#plain.failure;
    return this.#failure === null ? 0 : FAILED;
  }

  writeGather(from: Uint8Array, segments: Segments, count: number, last?: boolean): number {
    const parts = Array.from(
      { length: count },
      (_, i) => from.subarray(segments[2 * i]!, segments[2 * i]! + segments[2 * i + 1]!),
    );
    return this.write(concat(parts), last);
  }

  end(): void {
    if (this.#ending || this.#failure !== null) return;
    this.#ending = true;
    this.#channel.send(ALERT, CLOSE_NOTIFY);
    if (this.#channel.flush()) this.#plain.end();
  }

  close(reset = false): void {
    if (this.#closed) return;
    if (!reset) this.end();
    this.#closed = true;
    this.#failure ??= CLOSED;
    this.#readable = false;
    this.#sink = null;
    this.#plain.close(reset);
  }

  onReadable(): void {
    if (this.#sink === null || this.#readable || this.#ended || this.#failure !== null) return;
    this.#readable = true;
    this.#sink.onReadable();
  }

  onWritable(): void {
    if (this.#failure !== null || !this.#channel.flush()) return;
    if (this.#ending) this.#plain.end();
    else if (this.#framed > 0) this.#sink?.onWritable();
  }

  onFailure(ending: Ending): void {
    if (this.#failure !== null) return;
    this.#failure = ending;
    this.#readable = false;
    this.#announceFailure();
  }

  #announceFailure(): void {
    if (this.#failure !== null) this.#sink?.onFailure(this.#failure);
  }

  /** The plain stream has nothing more now, or has ended. Bytes that were taken are returned before a failure is. */
  #atEndOfInput(taken: number): void {
    if (this.#plain.ended) this.#ended = true;
    else if (taken === 0) this.#failure ??= this.#plain.failure;
  }

  /** The message is left in place, since nothing is read after it. Bytes before it are returned before a failure is. */
  #atMessage(head: "alert" | "handshake" | "garbage", taken: number): void {
    const text = head === "alert" ? new TextDecoder().decode(this.#channel.peekMessage()) : null;
    if (text === "") this.#ended = true;
    else if (taken === 0) this.#failure = text === null ? tlsBroken("unexpected message") : tlsAlert(text);
  }

  #mayHaveMore(): boolean {
    if (this.#ended || this.#failure !== null) return false;
    return this.#channel.buffered() !== null || this.#plain.readable || this.#plain.failure !== null;
  }
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
