/**
 * The public interface of this room: HTTP/2 for CONNECT, without sockets and without a clock. Received bytes go in;
 * calls to handlers and bytes to send come out.
 *
 * `H2Connection` (connection.ts) implements {@link Connection}, `H2Stream` (stream.ts) implements {@link Stream}.
 * Specification: RFC 9113, RFC 7541, `docs/spec/dataplane.md` 2.3-2.6, `docs/spec/observed.md` O26-O37.
 */

import type { Millis } from "../net/clock.ts";

/** Header fields in wire order, names lower case, pseudo headers first. Values are latin-1 text without NUL, CR, LF. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/** Error codes of RFC 9113 §7. */
export enum ErrorCode {
  NO_ERROR = 0,
  PROTOCOL_ERROR = 1,
  INTERNAL_ERROR = 2,
  FLOW_CONTROL_ERROR = 3,
  SETTINGS_TIMEOUT = 4,
  STREAM_CLOSED = 5,
  FRAME_SIZE_ERROR = 6,
  REFUSED_STREAM = 7,
  CANCEL = 8,
  COMPRESSION_ERROR = 9,
  CONNECT_ERROR = 10,
  ENHANCE_YOUR_CALM = 11,
  INADEQUATE_SECURITY = 12,
  HTTP_1_1_REQUIRED = 13,
}

/** Why a stream or a connection ended: who ended it, the error code, and a sentence for the log. */
export interface H2Failure {
  readonly by: "peer" | "us" | "transport";
  readonly code: ErrorCode;
  /** For example `ping timeout after 20000 ms`. The peer's GOAWAY debug text is quoted, with a bounded length. */
  readonly reason: string;
  /** Set where a GOAWAY of the peer is the cause, and not a reset of the stream. */
  readonly frame?: "GOAWAY";
}

/** Memory for the payload of one read: parts of one buffer, each behind the room for its frame header. */
export interface Reservation {
  readonly bytes: Uint8Array;
  /** (offset, length) pairs. */
  readonly segments: Int32Array;
  /** Number of pairs. */
  readonly count: number;
  /** Sum of the lengths. */
  readonly total: number;
}

/** Implemented by the owner of a stream. The methods are called from inside `Connection.receive` unless noted. */
export interface StreamHandler {
  /** Client: the header block of the final response. Interim responses and trailers are checked and dropped. */
  onResponse(headers: HeaderList): void;
  /**
   * Payload at `bytes[start, end)`, which stays valid until `onFlush` returns. Several calls may precede `onFlush`, for
   * parts of one DATA frame and for consecutive frames. {@link Stream.release} returns the credit.
   */
  onData(bytes: Uint8Array, start: number, end: number): void;
  /** The peer's END_STREAM arrived. Called before the `onFlush` of the same pass. */
  onEnd(): void;
  /** The end of a pass in which `onData` or `onEnd` was called: use or copy the payload of this pass. */
  onFlush(): void;
  /** `reserve` returned null before and may succeed now. Called from `receive` or from `flushTo`. */
  onSendReady(): void;
  /**
   * The stream was closed before both sides had ended it. `onFlush` was called for earlier payload; no call follows.
   */
  onReset(failure: H2Failure): void;
}

/** One stream, as its owner sees it. */
export interface Stream {
  readonly id: number;
  /** Set by the owner. Until then all calls are ignored. */
  handler: StreamHandler;
  /** Both directions have ended, or the stream was reset. */
  readonly closed: boolean;
  /** Bytes of payload that fill one unit of the transport, together with their frame headers (`alignOutput`). */
  readonly payloadUnit: number;
  /**
   * Server: sends the response; `:status` is the first of `headers`. `end` closes our direction. Throws if headers were
   * sent before.
   */
  respond(headers: HeaderList, end: boolean): void;
  /**
   * Returns memory for at most `want` payload bytes, as far as the windows and the output buffer (filled up to
   * `gatherLimit` bytes) allow. Null: not now, `onSendReady` will be called once; or our direction is closed, and it
   * will not be called. The reservation is one shared object: it is valid until the next call into the connection,
   * which must be `commit` where it is to be used. Throws on a server before `respond`.
   */
  reserve(want: number, gatherLimit: number): Reservation | null;
  /**
   * Turns the first `length` reserved bytes into DATA frames. `end` sets END_STREAM; with length 0 on an empty frame.
   */
  commit(length: number, end: boolean): void;
  /** Sends END_STREAM without payload. Does not wait for a window. Idempotent. */
  end(): void;
  /** Sends RST_STREAM, unless the stream is closed. No call to the handler follows. Releases all received bytes. */
  reset(code: ErrorCode): void;
  /**
   * `length` received bytes were passed on: their credit may be returned to the peer. Must also be called for bytes of
   * a stream that has ended in the meantime, but not of one that was reset.
   */
  release(length: number): void;
}

/** Implemented by the owner of a connection. */
export interface ConnectionHandler {
  /**
   * Server: a complete request of any method. Set `stream.handler` before returning. `end`: it has END_STREAM; `onEnd`
   * is called as always, unless the response has closed the stream.
   */
  onRequest(stream: Stream, headers: HeaderList, end: boolean): void;
  /**
   * Output is waiting. Called once, and again only after `flushTo` returned "empty"; the first time from inside the
   * constructor. Do not flush from inside this call, as it may come from within any other.
   */
  onOutput(): void;
  /** The peer's first SETTINGS arrived: its limits are known. */
  onSettings(): void;
  /** The peer's GOAWAY: no new streams. Streams above `lastStreamId` get `onReset` (REFUSED_STREAM, by peer). */
  onGoAway(lastStreamId: number, failure: H2Failure): void;
  /**
   * The connection has ended. Called once: after a connection error (GOAWAY is queued: flush, then close), a finished
   * drain, a client's last stream after the peer's GOAWAY, `transportFailed` or `transportEnded`. Every stream that was
   * open has got `onReset` before; `onOutput` was called unless it is still pending. May be called from `receive`,
   * `resume`, `tick`, `flushTo`, `drain`, `transportFailed` and `transportEnded`.
   */
  onEnd(failure: H2Failure): void;
}

/** One HTTP/2 connection, as its owner sees it. */
export interface Connection {
  readonly role: "client" | "server";
  /** Open streams, whoever opened them. */
  readonly streamCount: number;
  /** `open` would succeed: below the peer's MAX_CONCURRENT_STREAMS, ids left, no GOAWAY received or sent. */
  readonly canOpen: boolean;
  /** GOAWAY was sent or received, or the connection has ended. */
  readonly draining: boolean;
  readonly ended: boolean;

  /**
   * The last pass has left work: received bytes (`workPerPass`), or streams that were not notified yet that the
   * connection has ended. Call `resume` in another turn; call `receive` only when this is false again. Check it after
   * every `receive`, `resume`, `tick`, `flushTo`, `abandon` and `transportFailed`.
   */
  readonly hasPendingWork: boolean;

  /**
   * The peer has lately reset streams before they were answered, and bytes that it sent wait for a later pass: these
   * may reset streams that are open now. What is expensive should wait.
   */
  readonly mayResetSoon: boolean;

  /** Processes received bytes `[start, end)`. Never throws for what the peer sent. Keeps no reference to `bytes`. */
  receive(bytes: Uint8Array, start: number, end: number, now: Millis): void;
  /** Does another pass over the work that the last one has left; also after the connection has ended. */
  resume(now: Millis): void;
  /**
   * From now on a stream of the peer may have at most this many bytes in flight for each ms of the round trip, but
   * never less than this many; null: its whole window. For small messages that share the connection with bulk: bytes
   * queued ahead of them delay them.
   */
  limitInFlight(bytes: number | null): void;
  /** Sets the smallest round-trip time of the network path: it determines how large windows must be. */
  noteRoundTrip(roundTrip: Millis): void;
  /**
   * From now on at most this many bytes of DATA are gathered for the transport, whatever `reserve` allows; null: no
   * limit. For a slow transport: gathered bytes delay everything that is sent after them.
   */
  limitGathered(bytes: number | null): void;
  /**
   * From now on large reservations end where the output of the turn fills multiples of `unit` bytes. At first it is 1.
   */
  alignOutput(unit: number): void;
  /**
   * The transport ended, failed, or was closed by its owner: all streams get `onReset` (by transport), then `onEnd` is
   * called unless it was before. What was not flushed is dropped. Must be called in every case: it returns the output
   * buffer to the pool.
   */
  transportEnded(reason: string): void;
  /**
   * The same for a transport that failed: streams are notified in passes, and `onEnd` is called after the last one.
   * `byUs`: we have closed the transport, for a breach below HTTP/2.
   */
  transportFailed(reason: string, byUs?: boolean): void;
  /** Ends the connection at once with GOAWAY(NO_ERROR). Every stream gets `onReset` with `reason`, by us. */
  abandon(reason: string, now: Millis): void;
  /** Client: sends a CONNECT. Null: `canOpen` is false. */
  open(headers: HeaderList, handler: StreamHandler): Stream | null;
  /**
   * Hands gathered frames to `to` until it takes less than offered. "blocked": call again when `to` is writable,
   * offering at least the same bytes. Streams that waited for room get `onSendReady`. "failed": `write` returned a
   * negative number.
   */
  flushTo(to: { write(bytes: Uint8Array): number }): "empty" | "blocked" | "failed";
  /**
   * Sends PING; the connection ends (by us, reason "ping timeout ...") when nothing arrives in time. `tick` calls it
   * too.
   */
  ping(now: Millis): void;
  /**
   * Ends the connection after its last stream (RFC 9113 §6.8). A server sends GOAWAY(2^31-1) and PING, then the final
   * GOAWAY; a client sends GOAWAY(0).
   */
  drain(now: Millis): void;
  /** When `tick` must be called, or null. */
  nextDeadline(): Millis | null;
  /** Does what is due: timeouts, PING, the final GOAWAY of a drain. */
  tick(now: Millis): void;
}

/** Options of one connection. Sizes in bytes. Defaults: `docs/spec/dataplane.md` 2.3. */
export interface H2Options {
  readonly role: "client" | "server";
  /** Identity of the peer: connections of one peer share the memory for received bytes. */
  readonly peer: string;
  readonly streamWindow: number;
  readonly connectionWindow: number;
  readonly maxFrameSize: number;
  readonly maxHeaderListSize: number;
  /** Announced by a server; null: not announced. */
  readonly maxConcurrentStreams: number | null;
  readonly pingInterval: Millis;
  readonly pingTimeout: Millis;
  /** For the peer's preface and first SETTINGS, and for each frame that it has begun (observed.md O31). */
  readonly prefaceTimeout: Millis;
  /** Received bytes that all streams together may hold before the connection's credit is withheld (observed.md O30). */
  readonly maxUnreleased: number;
  /** Work of one pass, in units of `work.ts`. */
  readonly workPerPass: number;
  readonly limits: AbuseLimits;
  /** Pays for resets without an answer in place of a budget of the connection's own, also for other connections. */
  readonly sharedResets: TokenBudget | null;
}

/** Tokens that are used up and come back with time. */
export interface TokenBudget {
  /** Pays `cost`. False: the budget is used up. */
  take(cost: number, now: Millis): boolean;
  /** Whether nothing has been paid lately. */
  isFull(now: Millis): boolean;
  /** Names the breach, for GOAWAY and the log. */
  readonly breach: string;
}

/** Budgets of what a peer may do. A breach ends the connection with ENHANCE_YOUR_CALM and the name of the budget. */
export interface AbuseLimits {
  /** RST_STREAM frames of the peer for streams that were answered. */
  readonly resets: Budget;
  /** The same for streams that were not answered yet, and RST_STREAM frames that the peer makes us send. */
  readonly earlyResets: Budget;
  readonly emptyData: Budget;
  readonly pings: Budget;
  readonly settings: Budget;
  readonly windowUpdates: Budget;
  readonly otherControl: Budget;
  readonly continuationsPerBlock: number;
  readonly headerBlockBytes: number;
  /** Bytes of queued frames that the peer makes us send (ACKs, resets, responses) and does not read. */
  readonly queuedControlBytes: number;
}

/** `burst` events at once, refilled at `perSecond`. */
export interface Budget {
  readonly burst: number;
  readonly perSecond: number;
}
