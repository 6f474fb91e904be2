/**
 * One call on one HTTP/2 stream.
 *
 *     open ──trailers, fault, reset, loss, deadline, cancel──▶ ended (outcome set) ──messages read──▶ outcome told
 *
 * Traps of `node:http2` in this runtime: data may come before the response's headers, `aborted` is said of calls that
 * went well, and a reset shows as an orderly end first (`docs/spec/deno-notes.md` 2.3). So the end of the data means
 * something together with a status only, and everything else is concluded from `close`.
 */
import type { ClientHttp2Stream } from "node:http2";
import { setImmediate } from "node:timers";
import type { ByteBlocks } from "./byte_blocks.ts";
import type { Clock, GrpcCall } from "./channel.ts";
import { frameMessage, MessageAssembler } from "./message_frames.ts";
import { headFault, type IncomingHeaders, type Outcome, resetError, statusOf } from "./response.ts";
import { Code, GrpcError } from "./status.ts";

const NGHTTP2_REFUSED_STREAM = 7;
const NGHTTP2_CANCEL = 8;

export interface CallParts {
  readonly stream: ClientHttp2Stream;
  readonly clock: Clock;
  readonly messageLimit: number;
  /** ms; null: none. */
  readonly timeout: number | null;
  /** Cancels the call. */
  readonly signal: AbortSignal | undefined;
  /** Why the connection is lost, once it is. */
  lost(): GrpcError | null;
  ended(): void;
}

export class Http2Call implements GrpcCall {
  readonly #parts: CallParts;
  readonly #stream: ClientHttp2Stream;
  readonly #assembler: MessageAssembler;
  /** What came before the headers; null from then on. */
  #early: Uint8Array[] | null = [];
  /** Complete messages that nobody has read: those of one piece of data. */
  readonly #messages: ByteBlocks[] = [];
  /** What headers or trailers said; counts when the stream is closed. Data may still come after it. */
  #status: Outcome | null = null;
  /** The answer is no gRPC: its body says nothing. */
  #deaf = false;
  #outcome: Outcome | null = null;
  #reader: PromiseWithResolvers<ByteBlocks | null> | null = null;
  readonly #deadline: { cancel(): void } | null;
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
    // What there is to say about it is said in `close`.
    this.#stream.on("error", () => {});
    // The connection says why it broke only after its streams were closed.
    this.#stream.on("close", () => setImmediate(() => this.#onClose()));
    parts.signal?.addEventListener("abort", this.#onAbort);
    // Data events have begun; nothing more is wanted than what a reader asks for.
    this.#stream.pause();
  }

  read(): Promise<ByteBlocks | null> {
    if (this.#reader !== null) throw new TypeError("another read is under way");
    const message = this.#messages.shift();
    if (message !== undefined) return Promise.resolve(message);
    if (this.#outcome !== null) return this.#told(this.#outcome);
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
    this.#deaf = fault !== null;
    this.#status ??= fault ?? statusOf(headers);
    const early = this.#early ?? [];
    this.#early = null;
    for (const chunk of early) this.#onData(chunk);
  }

  #onData(chunk: Uint8Array): void {
    if (this.#early !== null) return void this.#early.push(chunk);
    if (this.#deaf || this.#outcome !== null) return;
    const fault = this.#assembler.push(chunk, this.#messages);
    giveBack(chunk);
    if (fault !== null) return this.#abort(fault);
    if (this.#messages.length === 0) return;
    this.#stream.pause();
    this.#reader?.resolve(this.#messages.shift()!);
    this.#reader = null;
  }

  /** Ends the call from our side. */
  #abort(error: GrpcError): void {
    if (this.#outcome !== null) return;
    this.#finish(error);
    this.#stream.close(NGHTTP2_CANCEL);
    // A paused stream is never closed.
    this.#stream.resume();
  }

  /** A server may have said its last word long before we have: it need not wait for ours, nor we for its. */
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
    // Also what a GOAWAY does to a stream that the server has not looked at: it can be sent again.
    if (code === NGHTTP2_REFUSED_STREAM) return resetError(code);
    return this.#parts.lost() ?? resetError(code);
  }

  #finish(outcome: Outcome): void {
    if (this.#outcome !== null) return;
    this.#deadline?.cancel();
    this.#parts.signal?.removeEventListener("abort", this.#onAbort);
    const cut = outcome === "ok" && this.#assembler.midMessage;
    this.#outcome = cut
      ? new GrpcError(Code.Internal, "server ended the call in the middle of a message", "call")
      : outcome;
    const reader = this.#reader;
    this.#reader = null;
    if (reader !== null) this.#told(this.#outcome).then(reader.resolve, reader.reject);
  }

  #told(outcome: Outcome): Promise<null> {
    return outcome === "ok" ? Promise.resolve(null) : Promise.reject(outcome);
  }
}

/** It was copied. What 47 MB came in would stay until the next collection. */
function giveBack({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}
