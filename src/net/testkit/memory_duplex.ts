/**
 * A byte stream in memory that behaves like a TCP socket under edge-triggered epoll: bounded buffers, short reads and
 * writes, half-close, RST. It notifies its user less often than the kernel does, as far as `Duplex` allows, so that a user
 * that needs a second notification hangs in a test and not on a node.
 */
import type { SocketAddress } from "../address.ts";
import { type Duplex, type DuplexSink, type Ending, FAILED, type Segments } from "../duplex.ts";
import { CLOSED } from "../endings.ts";
import { BROKEN_PIPE, RESET_BY_PEER } from "./memory_endings.ts";
import { MemoryPipe } from "./memory_pipe.ts";
import type { MemoryScheduler } from "./memory_scheduler.ts";
import type { TurnTask } from "../network.ts";

/** The behaviour of a connection. */
export interface StreamOptions {
  /** Capacity of each direction in bytes; default 65,536. Small values test back-pressure. */
  readonly bufferBytes?: number;
  /** How many of the `available` bytes a read returns: at least 1, at most all. Default: all. */
  readonly chunking?: (available: number) => number;
}

/** One end of a connection. */
export class MemoryDuplex implements Duplex, TurnTask {
  readonly #scheduler: MemoryScheduler;
  readonly #in: MemoryPipe;
  readonly #chunking: (available: number) => number;
  /** Set by {@link MemoryDuplex.pair}, which makes all ends. */
  #peer!: MemoryDuplex;
  #sink: DuplexSink | null = null;

  #readable = false;
  #ended = false;
  #failure: Ending | null = null;
  readonly writeUnit = 1;
  readonly path = null;
  #closed = false;
  #finSent = false;
  #finReceived = false;
  /** A write was not taken whole, and `onWritable` was not called since. */
  #isBlocked = false;

  // What will be reported in the next turn.
  #arrivals = false;
  #room = false;
  #broken: Ending | null = null;
  #nextWriteFails: Ending | null = null;

  /** The two ends of one connection. */
  static pair(
    scheduler: MemoryScheduler,
    ends: { readonly a: EndAddresses; readonly b: EndAddresses },
    options: StreamOptions = {},
  ): [a: MemoryDuplex, b: MemoryDuplex] {
    const a = new MemoryDuplex(scheduler, ends.a, options);
    const b = new MemoryDuplex(scheduler, ends.b, options);
    a.#peer = b;
    b.#peer = a;
    return [a, b];
  }

  readonly local: SocketAddress;
  readonly remote: SocketAddress;

  private constructor(scheduler: MemoryScheduler, addresses: EndAddresses, options: StreamOptions) {
    this.#scheduler = scheduler;
    this.local = addresses.local;
    this.remote = addresses.remote;
    this.#in = new MemoryPipe(options.bufferBytes ?? 65_536);
    this.#chunking = options.chunking ?? ((available) => available);
  }

  get readable(): boolean {
    return this.#readable;
  }

  get ended(): boolean {
    return this.#ended;
  }

  get broken(): boolean {
    return this.#broken !== null;
  }

  get failure(): Ending | null {
    return this.#failure;
  }

  /** Bytes that have not been read. For tests of back-pressure. */
  get unread(): number {
    return this.#in.length;
  }

  start(sink: DuplexSink): void {
    if (this.#closed) return;
    this.#sink = sink;
    // What has arrived is not announced: a user that does not check `readable` hangs in a test, not on a node.
    if (this.#in.length > 0 || (this.#finReceived && !this.#ended)) this.#readable = this.#failure === null;
    this.#scheduler.report(this);
  }

  read(into: Uint8Array): number {
    if (this.#hasFailed()) return FAILED;
    const taken = this.#in.pull(into.subarray(0, this.#allowance(into.length)));
    this.#afterRead(taken, into.length);
    return taken;
  }

  readScatter(into: Uint8Array, segments: Segments, count: number): number {
    if (this.#hasFailed()) return FAILED;
    let asked = 0;
    for (let i = 0; i < count; i++) asked += segments[2 * i + 1]!;
    let left = this.#allowance(asked);
    let taken = 0;
    for (let i = 0; i < count && left > 0; i++) {
      const offset = segments[2 * i]!;
      const part = this.#in.pull(into.subarray(offset, offset + Math.min(left, segments[2 * i + 1]!)));
      taken += part;
      left -= part;
    }
    this.#afterRead(taken, asked);
    return taken;
  }

  write(bytes: Uint8Array, _last?: boolean): number {
    if (this.#refusesWrites()) return FAILED;
    return this.#afterWrite(this.#offer(bytes), bytes.length);
  }

  writeGather(from: Uint8Array, segments: Segments, count: number, _last?: boolean): number {
    if (this.#refusesWrites()) return FAILED;
    let taken = 0;
    let offered = 0;
    for (let i = 0; i < count; i++) {
      const offset = segments[2 * i]!;
      const length = segments[2 * i + 1]!;
      if (taken === offered) taken += this.#offer(from.subarray(offset, offset + length));
      offered += length;
    }
    return this.#afterWrite(taken, offered);
  }

  end(): void {
    if (this.#finSent || this.#failure !== null) return;
    this.#finSent = true;
    this.#peer.#finArrived();
  }

  close(reset = false): void {
    if (this.#closed) return;
    const unread = this.#in.length > 0;
    this.#closed = true;
    this.#failure ??= CLOSED;
    this.#readable = false;
    this.#sink = null;
    this.#in.clear();
    // As Linux does: a close that discards data sends RST.
    if (reset || unread) this.#peer.breakWith(RESET_BY_PEER);
    else if (this.#broken === null && !this.#finSent) this.#peer.#finArrived();
  }

  /** Breaks the connection, as `ETIMEDOUT` of keepalive does. Bytes that have arrived stay readable. */
  breakWith(ending: Ending): void {
    if (this.#failure !== null) return;
    this.#broken ??= ending;
    this.#scheduler.report(this);
  }

  /** Makes the next write fail. */
  failNextWrite(ending: Ending): void {
    this.#nextWriteFails = ending;
  }

  runTurn(): void {
    if (this.#arrivals) this.#announceArrivals();
    if (this.#room) this.#announceRoom();
    if (this.#broken !== null) this.#announceFailure(this.#broken);
  }

  #announceArrivals(): void {
    if (this.#sink === null) return;
    this.#arrivals = false;
    if (this.#readable || this.#failure !== null) return;
    this.#readable = true;
    this.#sink.onReadable();
  }

  #announceRoom(): void {
    if (this.#sink === null) return;
    this.#room = false;
    if (!this.#isBlocked || this.#failure !== null) return;
    this.#isBlocked = false;
    this.#sink.onWritable();
  }

  #announceFailure(ending: Ending): void {
    if (this.#sink === null || this.#failure !== null) return;
    this.#failure = ending;
    this.#readable = false;
    this.#sink.onFailure(ending);
  }

  /** Whether a read fails: after a failure, or when the connection is broken and all bytes before that were read. */
  #hasFailed(): boolean {
    if (this.#in.length === 0) this.#failure ??= this.#broken;
    if (this.#failure !== null) this.#readable = false;
    return this.#failure !== null;
  }

  #refusesWrites(): boolean {
    this.#failure ??= this.#broken ?? this.#nextWriteFails ?? (this.#finSent ? BROKEN_PIPE : null);
    if (this.#failure !== null) this.#readable = false;
    return this.#failure !== null;
  }

  #allowance(asked: number): number {
    const available = Math.min(asked, this.#in.length);
    return available === 0 ? 0 : Math.min(available, Math.max(1, Math.floor(this.#chunking(available))));
  }

  #afterRead(taken: number, asked: number): void {
    if (taken > 0) this.#peer.#roomMade();
    if (asked === 0) return;
    // A read that fills its buffer does not show whether anything is left; the next one does.
    this.#readable = taken === asked || this.#in.length > 0;
    if (!this.#readable && this.#finReceived) this.#ended = true;
  }

  #offer(bytes: Uint8Array): number {
    const peer = this.#peer;
    if (bytes.length === 0) return 0;
    if (peer.#closed) {
      // The kernel takes the bytes, and the peer answers them with RST.
      this.breakWith(this.#finReceived ? BROKEN_PIPE : RESET_BY_PEER);
      return bytes.length;
    }
    const taken = peer.#in.push(bytes);
    if (taken > 0) peer.#arrived();
    return taken;
  }

  #afterWrite(taken: number, offered: number): number {
    if (taken < offered) this.#isBlocked = true;
    return taken;
  }

  #arrived(): void {
    this.#arrivals = true;
    this.#scheduler.report(this);
  }

  #finArrived(): void {
    if (this.#closed) return;
    this.#finReceived = true;
    this.#arrived();
  }

  /** As Linux does: the stream is writable again when a third of the buffer is free. */
  #roomMade(): void {
    const buffer = this.#peer.#in;
    if (!this.#isBlocked || buffer.free * 3 < buffer.capacity) return;
    this.#room = true;
    this.#scheduler.report(this);
  }
}

interface EndAddresses {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
}

/** Pseudo random sizes for {@link StreamOptions.chunking}, the same for each seed. */
export function seededChunks(seed: number): (available: number) => number {
  let state = seed >>> 0;
  return (available) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return 1 + (state >>> 8) % available;
  };
}
