/** For tests only: handlers that record their calls, and a client and a server connected in memory. */
import type { Millis } from "../../net/clock.ts";
import { BufferPool } from "../buffer_pool.ts";
import { makeH2Memory } from "../memory.ts";
import { H2Connection } from "../connection.ts";
import { defaultOptions } from "../limits.ts";
import type { ConnectionHandler, H2Failure, H2Options, HeaderList, Stream, StreamHandler } from "../seam.ts";

export const LIMIT = 1 << 20;

export const CONNECT: HeaderList = [[":method", "CONNECT"], [":authority", "10.0.0.7:8080"], ["baggage", "a=b"]];
export const OK: HeaderList = [[":status", "200"]];

/** Records calls. By default it releases the received bytes at the end of each pass. */
export class StreamLog implements StreamHandler {
  events: string[] = [];
  received: Uint8Array[] = [];
  bytes = 0;
  parts = 0;
  failure: H2Failure | null = null;
  headers: HeaderList | null = null;
  stream!: Stream;
  autoRelease = true;
  /** Keep copies of the payload. */
  keep = true;
  onReady: () => void = () => {};
  onEnded: () => void = () => {};
  #unflushed = 0;

  onResponse(headers: HeaderList): void {
    this.headers = headers;
    this.events.push("response");
  }
  onData(bytes: Uint8Array, start: number, end: number): void {
    if (this.keep) this.received.push(bytes.slice(start, end));
    this.bytes += end - start;
    this.#unflushed += end - start;
    this.parts++;
    if (this.events.at(-1) !== "data") this.events.push("data");
  }
  onEnd(): void {
    this.events.push("end");
    this.onEnded();
  }
  onFlush(): void {
    this.events.push("flush");
    const n = this.#unflushed;
    this.#unflushed = 0;
    if (this.autoRelease) this.stream.release(n);
  }
  onSendReady(): void {
    this.events.push("ready");
    this.onReady();
  }
  onReset(failure: H2Failure): void {
    this.failure = failure;
    this.events.push(`reset ${failure.by} ${failure.code}`);
  }

  get body(): Uint8Array {
    return concat(this.received);
  }
  get text(): string {
    return new TextDecoder().decode(this.body);
  }
}

/** Records calls. Answers every request with 200, unless `answer` is set. */
export class EndpointLog implements ConnectionHandler {
  events: string[] = [];
  streams: StreamLog[] = [];
  requests: HeaderList[] = [];
  end: H2Failure | null = null;
  outputs = 0;
  answer: (log: StreamLog, headers: HeaderList, end: boolean) => void = (log) => log.stream.respond(OK, false);

  onRequest(stream: Stream, headers: HeaderList, end: boolean): void {
    const log = new StreamLog();
    log.stream = stream;
    stream.handler = log;
    this.streams.push(log);
    this.requests.push(headers);
    this.events.push(`request ${stream.id}${end ? " end" : ""}`);
    this.answer(log, headers, end);
  }
  onOutput(): void {
    this.outputs++;
  }
  onSettings(): void {
    this.events.push("settings");
  }
  onGoAway(lastStreamId: number, failure: H2Failure): void {
    this.events.push(`goaway ${lastStreamId} ${failure.code}`);
  }
  onEnd(failure: H2Failure): void {
    if (this.end !== null) throw new Error("onEnd was called twice");
    this.end = failure;
    this.events.push(`end ${failure.by} ${failure.code}`);
  }
}

/** Throws if the connection has ended. (An `assert` on `log.end` would narrow its type for the rest of a test.) */
export function assertAlive(log: EndpointLog): void {
  if (log.end !== null) throw new Error(`The connection has ended: ${log.end.reason}`);
}

/** A transport that takes everything, or `most` bytes of each write. */
export class Sink {
  chunks: Uint8Array[] = [];
  offers: number[] = [];
  most = Infinity;
  blocked = false;
  write(bytes: Uint8Array): number {
    this.offers.push(bytes.length);
    if (this.blocked) return 0;
    const taken = Math.min(this.most, bytes.length);
    this.chunks.push(bytes.slice(0, taken));
    return taken;
  }
  take(): Uint8Array {
    const all = concat(this.chunks);
    this.chunks = [];
    return all;
  }
}

/** All chunks as one array. */
export function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** A client and a server. {@link pump} carries their bytes. */
export class Pair {
  now: Millis = 1000;
  readonly pool = new BufferPool();
  readonly memory = makeH2Memory(this.pool);
  readonly clientLog = new EndpointLog();
  readonly serverLog = new EndpointLog();
  readonly client: H2Connection;
  readonly server: H2Connection;
  /** Length of the next piece in which bytes arrive. */
  nextChunk: () => number = () => Infinity;

  constructor(client: Partial<H2Options> = {}, server: Partial<H2Options> = {}) {
    this.client = new H2Connection({ ...defaultOptions("client"), ...client }, this.clientLog, this.memory, this.now);
    this.server = new H2Connection({ ...defaultOptions("server"), ...server }, this.serverLog, this.memory, this.now);
  }

  /** Opens a CONNECT and returns the client's record of it. */
  open(headers: HeaderList = CONNECT): StreamLog {
    const log = new StreamLog();
    const stream = this.client.open(headers, log);
    if (stream === null) throw new Error("The client cannot open a stream");
    log.stream = stream;
    return log;
  }

  /** Carries bytes both ways until there are none. Returns how many were carried. */
  pump(): number {
    let total = 0;
    for (;;) {
      const moved = this.carry(this.client, this.server) + this.carry(this.server, this.client);
      if (moved === 0) return total;
      total += moved;
    }
  }

  /** Carries the bytes that `from` has to send. Returns how many. */
  carry(from: H2Connection, to: H2Connection): number {
    const sink = new Sink();
    from.flushTo(sink);
    const bytes = sink.take();
    for (let at = 0; at < bytes.length;) {
      const end = Math.min(bytes.length, at + Math.max(1, this.nextChunk()));
      // Each piece is overwritten afterwards, so a test fails if the connection keeps a reference to it.
      const piece = bytes.slice(at, end);
      to.receive(piece, 0, piece.length, this.now);
      while (to.hasPendingWork) to.resume(this.now);
      piece.fill(0xee);
      at = end;
    }
    return bytes.length;
  }
}

/** Sends all of `data` as far as the windows allow, then END_STREAM if `end` is set. */
export function sendAll(log: StreamLog, data: Uint8Array, end = true, gatherLimit = LIMIT): void {
  let at = 0;
  const go = () => {
    while (at < data.length) {
      const r = log.stream.reserve(data.length - at, gatherLimit);
      if (r === null) return;
      let taken = 0;
      for (let i = 0; i < r.count; i++) {
        const offset = r.segments[2 * i]!, length = r.segments[2 * i + 1]!;
        r.bytes.set(data.subarray(at + taken, at + taken + length), offset);
        taken += length;
      }
      at += taken;
      log.stream.commit(taken, end && at === data.length);
    }
  };
  log.onReady = go;
  if (data.length === 0 && end) log.stream.end();
  else go();
}

/** Pseudo-random bytes, so that bytes at a wrong place are noticed. */
export function pattern(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let x = seed >>> 0 || 1;
  for (let i = 0; i < length; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    bytes[i] = x >>> 24;
  }
  return bytes;
}
