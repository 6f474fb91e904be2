/**
 * One call on one HTTP/2 stream.
 *
 *     open ──trailers, fault, reset, loss, deadline, cancel──▶ ended (outcome set) ──messages read──▶ outcome returned
 *
 * Peculiarities of `node:http2` in this runtime: data may arrive before the response's headers, `aborted` is emitted for
 * calls that succeeded, and a reset is reported as an orderly end first (`docs/spec/deno-notes.md` 2.3). Therefore the
 * event `end` is used only together with a status, and everything else is derived from `close`.
 */
import type { ClientHttp2Stream } from "node:http2";
import { setImmediate } from "node:timers";
import type { Clock, Timer } from "../net/clock.ts";
import type { ByteBlocks } from "./byte_blocks.ts";
import type { GrpcCall } from "./channel.ts";
import { frameMessage, MessageAssembler } from "./message_frames.ts";
import { headFault, type IncomingHeaders, type Outcome, resetError, statusOf } from "./response.ts";
import { Code, GrpcError } from "./status.ts";

const NGHTTP2_REFUSED_STREAM = 7;
const NGHTTP2_CANCEL = 8;

/** What a call needs. */
interface CallParts {
  readonly stream: ClientHttp2Stream;
  readonly clock: Clock;
  readonly messageLimit: number;
  /** ms; null: none. */
  readonly timeout: number | null;
  /** Cancels the call when it is aborted. */
  readonly signal: AbortSignal | undefined;
  /** Returns why the connection was lost; null: it was not. */
  lost(): GrpcError | null;
  /** Called once, after the stream was closed. */
  ended(): void;
}

/** A call on a stream of `node:http2`. */
export class Http2Call implements GrpcCall {
  readonly #parts: CallParts;
  readonly #stream: ClientHttp2Stream;
  readonly #assembler: MessageAssembler;
  /** Data that arrived before the headers; null once these have arrived. */
  #early: Uint8Array[] | null = [];
  /** Complete messages that were not read yet, at most those of one chunk of data. */
  readonly #messages: ByteBlocks[] = [];
  /** The status of headers or trailers. It becomes the outcome when the stream ends; data may still follow. */
  #status: Outcome | null = null;
  /** The response is not gRPC, so its body is ignored. */
  #ignoresBody = false;
  #outcome: Outcome | null = null;
  #reader: PromiseWithResolvers<ByteBlocks | null> | null = null;
  readonly #deadline: Timer | null;
  readonly #onAbort = () => this.cancel();

  constructor(parts: CallParts) {
    this.#parts = parts;
    this.#stream = parts.stream;
    this.#assembler = new MessageAssembler(parts.messageLimit);
    const { timeout } = parts;
    this.#deadline = timeout === null ? null : parts.clock.after(timeout, () => {
      this.#abort(new GrpcError(Code.DeadlineExceeded, `no answer within ${timeout / 1000} s`, "call"));
    });
    this.#stream.on("response", (headers) => this.#onHead(headers as IncomingHeaders));
    this.#stream.on("trailers", (headers) => this.#status ??= statusOf(headers as IncomingHeaders));
    this.#stream.on("data", (chunk: Uint8Array) => this.#onData(chunk));
    this.#stream.on("end", () => this.#onEnd());
    // `close` follows and handles the error.
    this.#stream.on("error", () => {});
    // `node:http2` emits the reason of a lost connection after the `close` of its streams.
    this.#stream.on("close", () => setImmediate(() => this.#onClose()));
    parts.signal?.addEventListener("abort", this.#onAbort);
    // The listener for data has started the stream. It is paused until `read` is called.
    this.#stream.pause();
  }

  read(): Promise<ByteBlocks | null> {
    if (this.#reader !== null) throw new TypeError("another read is pending");
    const message = this.#messages.shift();
    if (message !== undefined) return Promise.resolve(message);
    if (this.#outcome !== null) return this.#outcomePromise(this.#outcome);
    this.#reader = Promise.withResolvers();
    this.#stream.resume();
    return this.#reader.promise;
  }

  send(message: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      if (this.#outcome !== null || !this.#stream.writable) return resolve();
      this.#stream.write(frameMessage(message), () => resolve());
    });
  }

  end(): void {
    if (this.#stream.writable) this.#stream.end();
  }

  cancel(): void {
    this.#abort(new GrpcError(Code.Cancelled, "call was cancelled by us", "call"));
  }

  #onHead(headers: IncomingHeaders): void {
    const fault = headFault(headers);
    this.#ignoresBody = fault !== null;
    this.#status ??= fault ?? statusOf(headers);
    const early = this.#early ?? [];
    this.#early = null;
    for (const chunk of early) this.#onData(chunk);
  }

  #onData(chunk: Uint8Array): void {
    if (this.#early !== null) return void this.#early.push(chunk);
    if (this.#ignoresBody || this.#outcome !== null) return;
    const fault = this.#assembler.push(chunk, this.#messages);
    freeChunk(chunk);
    if (fault !== null) return this.#abort(fault);
    if (this.#messages.length === 0) return;
    this.#stream.pause();
    this.#reader?.resolve(this.#messages.shift()!);
    this.#reader = null;
  }

  /** Resets the stream and ends the call with `error`. */
  #abort(error: GrpcError): void {
    if (this.#outcome !== null) return;
    this.#finish(error);
    this.#stream.close(NGHTTP2_CANCEL);
    // `node:http2` does not close a paused stream.
    this.#stream.resume();
  }

  /** The server may end the call while this side has not: with a status the call is over in both directions. */
  #onEnd(): void {
    if (this.#status === null) return this.end();
    this.#finish(this.#status);
    this.#stream.close();
  }

  #onClose(): void {
    this.#finish(this.#status ?? this.#whyClosed());
    this.#parts.ended();
  }

  #whyClosed(): GrpcError {
    const code = this.#stream.rstCode ?? 0;
    // A GOAWAY also causes this code, for streams that the server has not processed; the call may be retried.
    if (code === NGHTTP2_REFUSED_STREAM) return resetError(code);
    return this.#parts.lost() ?? resetError(code);
  }

  #finish(outcome: Outcome): void {
    if (this.#outcome !== null) return;
    this.#deadline?.cancel();
    this.#parts.signal?.removeEventListener("abort", this.#onAbort);
    const isCut = outcome === "ok" && this.#assembler.midMessage;
    this.#outcome = isCut
      ? new GrpcError(Code.Internal, "server ended the call in the middle of a message", "call")
      : outcome;
    const reader = this.#reader;
    this.#reader = null;
    if (reader !== null) this.#outcomePromise(this.#outcome).then(reader.resolve, reader.reject);
  }

  #outcomePromise(outcome: Outcome): Promise<null> {
    return outcome === "ok" ? Promise.resolve(null) : Promise.reject(outcome);
  }
}

/** Frees a chunk that was copied. Otherwise the chunks of 47 MB would stay until the next garbage collection. */
function freeChunk({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}
