/**
 * A client connection of an HTTP server of this room.
 *
 *     idle ──head──▶ answering ──written──▶ idle          (keep-alive)
 *       │                 └──written──▶ closed             (close, body not read, draining)
 *       └──2 s, end of stream, draining──▶ closed
 */
import type { Clock } from "../net/clock.ts";
import type { RequestBody } from "./request_body.ts";
import { HEAD_MAX, parseRequestHead, type RequestHead } from "./request_head.ts";
import {
  empty,
  encodeChunk,
  encodeResponse,
  encodeStreamHead,
  failed,
  type HttpResponse,
  isStreamed,
  LAST_CHUNK,
  type StreamedResponse,
} from "./response.ts";

/** A response of a handler. */
export type AnyResponse = HttpResponse | StreamedResponse;
/** Answers a request. Throwing makes a response with status 500. Without `body` the request has none. */
export type HttpHandler = (request: RequestHead, body?: RequestBody) => AnyResponse | Promise<AnyResponse>;

/** The connection that is served; `Deno.Conn` implements it. */
export interface ByteStream {
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
}

/** Time in which the next head has to arrive, ms; then the connection is closed without a response. */
const HEAD_TIMEOUT = 2_000;
/** Time for the client to read a response, ms. */
const WRITE_TIMEOUT = 30_000;
/** The same for a piece of a streamed response; a stop of the process waits no longer than this. */
const PIECE_TIMEOUT = 10_000;
/** Time in which a body has to arrive that a handler reads, ms. */
const BODY_TIMEOUT = 10_000;
/** The largest body that is read, and ignored, to keep the connection. */
const BODY_MAX = 64 * 1024;

const CONTINUE = new TextEncoder().encode("HTTP/1.1 100 Continue\r\n\r\n");

/** Serves requests until the connection ends. */
export class HttpConnection {
  readonly #stream: ByteStream;
  readonly #handler: HttpHandler;
  readonly #timers: Pick<Clock, "after">;

  /** Bytes that were received and not used. */
  #buffer = new Uint8Array(HEAD_MAX);
  #used = 0;
  #idle = true;
  /** The response that is being sent in pieces. */
  #streaming: StreamedResponse | null = null;
  /** The handler has read the body of the current request. */
  #hasReadBody = false;
  #draining = false;
  #streamsEnd = false;
  #closed = false;

  constructor(
    stream: ByteStream,
    handler: HttpHandler,
    timers: Pick<Clock, "after">,
  ) {
    this.#stream = stream;
    this.#handler = handler;
    this.#timers = timers;
  }

  /** Whether no request is in progress. */
  get idle(): boolean {
    return this.#idle;
  }

  /** Resolves when the connection has ended; never rejects. */
  async serve(): Promise<void> {
    try {
      while (await this.#serveOne());
    } catch {
      // The client disconnected or a timeout closed the connection. Neither is logged.
    } finally {
      this.close();
    }
  }

  /** Closes the connection after the request in progress. A body without an end of its own goes on until {@link endStreams}. */
  drain() {
    this.#draining = true;
    if (this.#idle) this.close();
  }

  /** Ends bodies that have no end of their own. */
  endStreams() {
    this.#streamsEnd = true;
    this.#streaming?.drain?.();
  }

  /** Closes the connection at once. Idempotent. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    this.#stream.close();
  }

  /** Serves one request. False: the connection has to end. */
  async #serveOne(): Promise<boolean> {
    this.#idle = true;
    const head = await this.#withTimeout(HEAD_TIMEOUT, () => this.#readHead());
    this.#idle = false;
    if (head === null) return false;
    if (typeof head === "number") return await this.#refuse(head);
    this.#hasReadBody = false;
    const response = await this.#answer(head);
    try {
      // A client that waits for "100 Continue" gets the response without sending a body that the handler did not read.
      const canSkipBody = head.bodyLength !== null && !(head.waitsWithBody && this.#used === 0);
      const bodyRead = this.#hasReadBody || canSkipBody && await this.#skipBody(head.bodyLength);
      const keepRequested = head.keepAlive && bodyRead && !this.#draining;
      const isKept = isStreamed(response)
        ? await this.#sendStreamed(response, head, keepRequested)
        : await this.#send(response, head.method === "HEAD", keepRequested);
      if (!bodyRead) await this.#finishReading();
      return isKept && !this.#draining;
    } finally {
      this.#streaming = null;
      response.close?.();
    }
  }

  /** A head, the status to refuse it with, or null at the end of the stream. */
  async #readHead(): Promise<RequestHead | number | null> {
    for (;;) {
      const result = parseRequestHead(this.#buffer.subarray(0, this.#used));
      if (result.kind === "refused") return result.status;
      if (result.kind === "head") {
        this.#consume(result.size);
        return result.head;
      }
      const count = await this.#stream.read(this.#buffer.subarray(this.#used));
      if (count === null) return null;
      this.#used += count;
    }
  }

  #consume(count: number) {
    this.#buffer.copyWithin(0, count, this.#used);
    this.#used -= count;
  }

  async #answer(head: RequestHead): Promise<AnyResponse> {
    try {
      return await this.#handler(head, { read: (most) => this.#readBody(head, most) });
    } catch (error) {
      return failed(error);
    }
  }

  async #readBody({ bodyLength, waitsWithBody }: RequestHead, most: number): Promise<Uint8Array | string> {
    if (bodyLength === null) return "the length of the body is not known: send it with Content-Length";
    if (bodyLength > most) return `the body has ${bodyLength} bytes, more than ${most}`;
    this.#hasReadBody = true;
    if (waitsWithBody && this.#used === 0) await this.#write(CONTINUE, WRITE_TIMEOUT);
    const body = new Uint8Array(bodyLength);
    let have = Math.min(bodyLength, this.#used);
    body.set(this.#buffer.subarray(0, have));
    this.#consume(have);
    return await this.#withTimeout(BODY_TIMEOUT, async () => {
      while (have < bodyLength) {
        const count = await this.#stream.read(body.subarray(have));
        if (count === null) throw new Error("the body ended early");
        have += count;
      }
      return body;
    });
  }

  /** Reads and ignores a body. False: it is too large or incomplete. */
  async #skipBody(length: number): Promise<boolean> {
    if (length > BODY_MAX) return false;
    const have = Math.min(length, this.#used);
    this.#consume(have);
    let missing = length - have;
    return await this.#withTimeout(HEAD_TIMEOUT, async () => {
      const discarded = new Uint8Array(Math.min(missing, HEAD_MAX));
      while (missing > 0) {
        const count = await this.#stream.read(discarded.subarray(0, missing));
        if (count === null) return false;
        missing -= count;
      }
      return true;
    });
  }

  async #refuse(status: number): Promise<false> {
    await this.#send(empty(status), false, false);
    await this.#finishReading();
    return false;
  }

  /** Sends a response. Returns `isKept`: whether the connection is kept. */
  async #send(response: HttpResponse, headOnly: boolean, isKept: boolean): Promise<boolean> {
    await this.#write(encodeResponse(response, { headOnly, close: !isKept, now: Date.now() }), WRITE_TIMEOUT);
    return isKept;
  }

  /**
   * Sends a streamed response. A failure before the first piece becomes a response with status 500; later it closes the
   * connection, so that the client notices that the body is incomplete. Each piece is made after the previous one was
   * written, so memory does not grow with a slow reader.
   */
  async #sendStreamed(
    response: StreamedResponse,
    { method, minor }: RequestHead,
    keepRequested: boolean,
  ): Promise<boolean> {
    const headOnly = method === "HEAD";
    let piece: string | Uint8Array | null = null;
    this.#streaming = response;
    if (this.#streamsEnd) response.drain?.();
    try {
      if (!headOnly) piece = await response.next();
    } catch (error) {
      return await this.#send(failed(error), headOnly, keepRequested);
    }
    const chunked = minor === 1, isEndless = response.drain !== undefined;
    const isKept = keepRequested && (headOnly || chunked && !isEndless);
    await this.#write(
      encodeStreamHead(response, { headOnly, close: !isKept, now: Date.now(), chunked }),
      PIECE_TIMEOUT,
    );
    if (headOnly) return isKept;
    if (isEndless) void this.#closeWithReader(response);
    for (; piece !== null; piece = await response.next()) {
      const content = typeof piece === "string" ? new TextEncoder().encode(piece) : piece;
      if (content.length > 0) await this.#writeAll(chunked ? encodeChunk(content) : [content], PIECE_TIMEOUT);
    }
    if (chunked) await this.#write(LAST_CHUNK, PIECE_TIMEOUT);
    return isKept;
  }

  /**
   * Ends a body without an end of its own when its reader closes the connection. Otherwise the reader would be noticed by
   * the next write only, and keep its place among those that are allowed until then.
   */
  async #closeWithReader(response: StreamedResponse): Promise<void> {
    const ignored = new Uint8Array(HEAD_MAX);
    try {
      for (let read = 0; read < BODY_MAX;) {
        const count = await this.#stream.read(ignored);
        if (count === null) break;
        read += count;
      }
    } catch {
      // It was reset, or the response has ended.
    }
    this.close();
    response.drain?.();
  }

  #write(bytes: Uint8Array, timeout: number): Promise<void> {
    return this.#writeAll([bytes], timeout);
  }

  async #writeAll(parts: readonly Uint8Array[], timeout: number): Promise<void> {
    await this.#withTimeout(timeout, async () => {
      for (const bytes of parts) {
        for (let sent = 0; sent < bytes.length;) sent += await this.#stream.write(bytes.subarray(sent));
      }
    });
  }

  /** Reads to the end: closing with unread bytes would reset the connection, and lose the response (RFC 9112 §9.6). */
  async #finishReading() {
    await this.#stream.closeWrite();
    await this.#withTimeout(HEAD_TIMEOUT, async () => {
      for (let read = 0; read < BODY_MAX;) {
        const count = await this.#stream.read(this.#buffer);
        if (count === null) return;
        read += count;
      }
    });
  }

  /** Runs an operation. At the timeout the stream is closed, which makes the operation fail. */
  async #withTimeout<T>(timeout: number, run: () => Promise<T>): Promise<T> {
    const timer = this.#timers.after(timeout, () => this.close());
    try {
      return await run();
    } finally {
      timer.cancel();
    }
  }
}
