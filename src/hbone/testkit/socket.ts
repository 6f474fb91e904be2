/**
 * For tests only: an application's end of a connection. It reads at once, unless that is turned off, and writes all
 * bytes.
 */
import { type Duplex, type DuplexSink, type Ending, FAILED } from "../../net/duplex.ts";
import type { Scheduler, TurnTask } from "../../net/network.ts";

const READ_SIZE = 65_536;

/** One socket, with a record of what it received. */
export class TestSocket implements DuplexSink, TurnTask {
  readonly #scheduler: Scheduler;
  readonly #buffer = new Uint8Array(READ_SIZE);
  readonly #received: Uint8Array[] = [];
  #outbox: Uint8Array[] = [];
  #reading = true;
  /** {@link end} was called. */
  #mustEnd = false;
  /** Bytes read. */
  count = 0;
  /** The other side has ended. */
  ended = false;
  failure: Ending | null = null;
  /** Called with each piece, a copy. */
  onBytes: (bytes: Uint8Array) => void = () => {};
  /** Called once at the end of what the other side sends. */
  onEnded: () => void = () => {};
  /** Keep what is read; else only count it. */
  keep = true;

  constructor(scheduler: Scheduler, readonly duplex: Duplex, reading = true) {
    this.#scheduler = scheduler;
    this.#reading = reading;
    duplex.start(this);
    if (duplex.readable) scheduler.nextTurn(this);
  }

  get text(): string {
    return new TextDecoder().decode(this.bytes);
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(this.#received.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of this.#received) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  /** Bytes of {@link send} that wait for room. */
  get unsent(): number {
    return this.#outbox.reduce((sum, part) => sum + part.length, 0);
  }

  /** {@link end} was called. */
  get hasEnded(): boolean {
    return this.#mustEnd;
  }

  /** Whether and how the other side has ended. */
  get fate(): "open" | "fin" | "reset" | "error" {
    if (this.failure !== null) return this.failure.how === "reset" ? "reset" : "error";
    return this.ended ? "fin" : "open";
  }

  /** Sends bytes, as far as there is room; the rest follows later. */
  send(data: string | Uint8Array): this {
    this.#outbox.push(typeof data === "string" ? new TextEncoder().encode(data) : data);
    this.#write();
    return this;
  }

  /** Sends FIN after the bytes of {@link send}. */
  end(): this {
    this.#mustEnd = true;
    this.#write();
    return this;
  }

  close(): void {
    this.duplex.close();
  }

  reset(): void {
    this.duplex.close(true);
  }

  stopReading(): void {
    this.#reading = false;
  }

  goOnReading(): void {
    this.#reading = true;
    this.#scheduler.nextTurn(this);
  }

  onReadable(): void {
    this.#read();
  }

  runTurn(): void {
    this.#read();
  }

  onWritable(): void {
    this.#write();
  }

  onFailure(ending: Ending): void {
    this.failure ??= ending;
  }

  #read(): void {
    while (this.#reading && this.failure === null && this.duplex.readable) {
      const count = this.duplex.read(this.#buffer);
      if (count === FAILED) {
        this.failure ??= this.duplex.failure;
        return;
      }
      if (count > 0) this.#take(this.#buffer.slice(0, count));
    }
    if (!this.duplex.ended || this.ended) return;
    this.ended = true;
    this.onEnded();
  }

  #take(bytes: Uint8Array): void {
    this.count += bytes.length;
    if (this.keep) this.#received.push(bytes);
    this.onBytes(bytes);
  }

  #write(): void {
    for (let next = this.#outbox[0]; next !== undefined; next = this.#outbox[0]) {
      const taken = this.duplex.write(next);
      if (taken === FAILED) {
        this.failure ??= this.duplex.failure;
        this.#outbox = [];
        return;
      }
      if (taken < next.length) {
        this.#outbox[0] = next.subarray(taken);
        return;
      }
      this.#outbox.shift();
    }
    if (this.#mustEnd) this.duplex.end();
  }
}
