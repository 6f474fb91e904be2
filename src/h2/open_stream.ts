/** One stream as the other parts of its connection see it; `stream.ts` implements it. */
import type { Closing } from "./closed_streams.ts";
import type { ReceiveWindow, SendWindow } from "./flow.ts";
import type { H2Failure, Stream } from "./seam.ts";
import type { StreamState } from "./stream_state.ts";
import type { QueuedStream } from "./wait_queue.ts";

/**
 * A stream that is not closed yet, for `core.ts` and the receivers. What the owner of the stream may call is
 * {@link Stream}.
 */
export interface OpenStream extends Stream, QueuedStream {
  readonly state: StreamState;
  readonly sendWindow: SendWindow;
  readonly receiveWindow: ReceiveWindow;
  /** We have sent the header block of the request or of the response. */
  readonly headersSent: boolean;
  /** The peer's header block has arrived; a second one is trailers. */
  headersReceived: boolean;
  /** Body bytes that are missing to the announced content-length; -1: none was announced. */
  bodyLeft: number;
  /** `onData` or `onEnd` was called in this pass, so `onFlush` must follow at its end. */
  needsFlush: boolean;

  /** Hands `bytes[start, end)` of a DATA frame to the handler. */
  deliver(bytes: Uint8Array, start: number, end: number): void;
  /** Returns credit for `length` bytes that the handler does not get: padding. */
  returnCredit(length: number): void;
  /** The peer's END_STREAM arrived, after all payload. */
  receiveEnd(): void;
  /** The request arrived with END_STREAM: changes the state before `onRequest`; {@link notifyEnd} follows after it. */
  markRequestEnded(): void;
  /** Calls the handler's `onEnd`. */
  notifyEnd(): void;
  /** Calls the handler's `onFlush` if {@link needsFlush} is set. */
  flush(): void;
  /**
   * Closes the stream before both sides have ended it and not because its owner asked for that: calls `onReset`.
   * `closing` decides how late frames are treated.
   */
  abandon(failure: H2Failure, closing: Closing): void;
  /** Returns the bytes of payload sent and received since the last call, modulo 2^30. */
  takeMoved(): number;
  /** The connection has removed the stream from its table. */
  onRemoved(): void;
}
