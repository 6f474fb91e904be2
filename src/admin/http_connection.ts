/**
 * One client of an HTTP server of this room.
 *
 *     idle ──head──▶ answering ──written──▶ idle          (keep-alive)
 *       │                 └──written──▶ closed             (close, body not read, draining)
 *       └──2 s, end, draining──▶ closed
 */
import type { Clock } from "../net/clock.ts";
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

export type AnyResponse = HttpResponse | StreamedResponse;
export type HttpHandler = (request: RequestHead) => AnyResponse | Promise<AnyResponse>;

/** What is needed of a connection; `Deno.Conn` is one. */
export interface ByteStream {
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
}

/** Time between being idle and the end of the next head; an idle connection ends after it, silently. */
const HEAD_TIMEOUT = 2_000;
/** A client that does not read its response. */
const WRITE_TIMEOUT = 30_000;
/** The same for a piece of a streamed one. A stop of the process waits no longer either. */
const PIECE_TIMEOUT = 10_000;
/** A request's body that is read to keep the connection; nothing here needs bodies. */
const BODY_MAX = 64 * 1024;

export class HttpConnection {
  /** Received and not used. */
  #buffer = new Uint8Array(HEAD_MAX);
  #used = 0;
  #idle = true;
  #draining = false;
  #closed = false;

  constructor(
    private readonly stream: ByteStream,
    private readonly handler: HttpHandler,
    private readonly timers: Pick<Clock, "after">,
  ) {}

  get idle(): boolean {
    return this.#idle;
  }

  /** Resolves when the connection has ended; never rejects. */
  async serve(): Promise<void> {
    try {
      while (await this.#serveOne());
    } catch {
      // A client that left, or a timeout of ours: both end the connection, neither is worth a line.
    } finally {
      this.close();
    }
  }

  /** Lets a running request finish. */
  drain() {
    this.#draining = true;
    if (this.#idle) this.close();
  }

  close() {
    if (this.#closed) return;
    this.#closed = true;
    this.stream.close();
  }

  /** False when the connection is to end. */
  async #serveOne(): Promise<boolean> {
    this.#idle = true;
    const head = await this.#within(HEAD_TIMEOUT, () => this.#readHead());
    this.#idle = false;
    if (head === null) return false;
    if (typeof head === "number") return await this.#refuse(head);
    const response = await this.#answer(head);
    try {
      // No handler here needs a body: a client that waits for "100 Continue" gets its answer without sending it.
      const comes = head.bodyLength !== null && !(head.waitsWithBody && this.#used === 0);
      const whole = comes && await this.#skipBody(head.bodyLength);
      const asked = head.keepAlive && whole && !this.#draining;
      const stays = isStreamed(response)
        ? await this.#stream(response, head, asked)
        : await this.#send(response, head.method === "HEAD", asked);
      if (!whole) await this.#linger();
      return stays;
    } finally {
      response.close?.();
    }
  }

  /** A head, the status to refuse it with, or null when the client ended. */
  async #readHead(): Promise<RequestHead | number | null> {
    for (;;) {
      const result = parseRequestHead(this.#buffer.subarray(0, this.#used));
      if (result.kind === "refused") return result.status;
      if (result.kind === "head") {
        this.#consume(result.size);
        return result.head;
      }
      const count = await this.stream.read(this.#buffer.subarray(this.#used));
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
      return await this.handler(head);
    } catch (error) {
      return failed(error);
    }
  }

  /** False when the body is too large to be read for nothing. */
  async #skipBody(length: number): Promise<boolean> {
    if (length > BODY_MAX) return false;
    const have = Math.min(length, this.#used);
    this.#consume(have);
    let missing = length - have;
    return await this.#within(HEAD_TIMEOUT, async () => {
      const waste = new Uint8Array(Math.min(missing, HEAD_MAX));
      while (missing > 0) {
        const count = await this.stream.read(waste.subarray(0, missing));
        if (count === null) return false;
        missing -= count;
      }
      return true;
    });
  }

  async #refuse(status: number): Promise<false> {
    await this.#send(empty(status), false, false);
    await this.#linger();
    return false;
  }

  /** Returns `stays`: whether the connection is kept. */
  async #send(response: HttpResponse, headOnly: boolean, stays: boolean): Promise<boolean> {
    await this.#write(encodeResponse(response, { headOnly, close: !stays, now: Date.now() }), WRITE_TIMEOUT);
    return stays;
  }

  /**
   * A failure before the first piece is an answer; later it ends the connection, and the client sees that the end is
   * missing. The next piece is made when this one is gone: memory does not grow with a slow reader.
   */
  async #stream(response: StreamedResponse, { method, minor }: RequestHead, asked: boolean): Promise<boolean> {
    const headOnly = method === "HEAD";
    let piece: string | Uint8Array | null = null;
    try {
      if (!headOnly) piece = await response.next();
    } catch (error) {
      return await this.#send(failed(error), headOnly, asked);
    }
    const chunked = minor === 1;
    const stays = asked && (chunked || headOnly);
    await this.#write(encodeStreamHead(response, { headOnly, close: !stays, now: Date.now(), chunked }), PIECE_TIMEOUT);
    if (headOnly) return stays;
    for (; piece !== null; piece = await response.next()) {
      const content = typeof piece === "string" ? new TextEncoder().encode(piece) : piece;
      if (content.length > 0) await this.#write(chunked ? encodeChunk(content) : content, PIECE_TIMEOUT);
    }
    if (chunked) await this.#write(LAST_CHUNK, PIECE_TIMEOUT);
    return stays;
  }

  async #write(bytes: Uint8Array, timeout: number): Promise<void> {
    await this.#within(timeout, async () => {
      for (let sent = 0; sent < bytes.length;) sent += await this.stream.write(bytes.subarray(sent));
    });
  }

  /** Closing with unread bytes would reset the connection, and the response could be lost (RFC 9112 9.6). */
  async #linger() {
    await this.stream.closeWrite();
    await this.#within(HEAD_TIMEOUT, async () => {
      for (let read = 0; read < BODY_MAX;) {
        const count = await this.stream.read(this.#buffer);
        if (count === null) return;
        read += count;
      }
    });
  }

  /** Closes the stream when time is up, which fails whatever waits for it. */
  async #within<T>(timeout: number, run: () => Promise<T>): Promise<T> {
    const timer = this.timers.after(timeout, () => this.close());
    try {
      return await run();
    } finally {
      timer.cancel();
    }
  }
}
