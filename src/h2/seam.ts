/**
 * The public face of the HTTP/2 room: CONNECT only, no sockets, no clock. Bytes in, calls and bytes out.
 *
 * `H2Connection` (connection.ts) implements {@link Connection}, `H2Stream` (stream.ts) implements {@link Stream}.
 * Spec: RFC 9113, RFC 7541, `docs/spec/dataplane.md` 2.3-2.6, `docs/spec/observed.md` O26-O37.
 */

/** Milliseconds of the caller's monotonic clock. */
export type Millis = number;

/** Header fields in wire order, names lower case, pseudo headers first. Values are latin-1 text without NUL, CR, LF. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/** RFC 9113 §7. */
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

/** What ended a stream or a connection: who began it, the code, and a sentence for the log. */
export interface H2Failure {
  readonly by: "peer" | "us" | "transport";
  readonly code: ErrorCode;
  /** E.g. `reset rate above 100 per 10 s`; the peer's GOAWAY debug text is quoted and bounded. */
  readonly reason: string;
}

/** Where the payload of one read may land: parts of one buffer, each behind the room for its frame header. */
export interface Reservation {
  readonly bytes: Uint8Array;
  /** (offset, length) pairs. */
  readonly segments: Int32Array;
  readonly count: number;
  /** Sum of the lengths. */
  readonly total: number;
}

/** Implemented by whoever uses a stream. Calls come from inside `Connection.receive` unless noted. */
export interface StreamHandler {
  /** Client: the response's header block (also trailers never: they are parsed, bounded and dropped). */
  onResponse(headers: HeaderList): void;
  /**
   * Payload at `bytes[start, end)`, lent: valid until `onFlush` returns (several calls may come first, for
   * consecutive frames in one buffer). A DATA frame is handed on in parts as it arrives.
   */
  onData(bytes: Uint8Array, start: number, end: number): void;
  /** The peer's END_STREAM. Comes before the `onFlush` of the same pass. */
  onEnd(): void;
  /** End of a pass in which `onData` or `onEnd` was called: use or copy what was lent. */
  onFlush(): void;
  /** `reserve` gave null before, and may give something now. May come from `receive` or from `flushTo`. */
  onSendReady(): void;
  /** The stream is over before both sides ended it. No call follows. What was lent before is flushed before. */
  onReset(failure: H2Failure): void;
}

export interface Stream {
  readonly id: number;
  handler: StreamHandler;
  /** Both directions ended, or reset. */
  readonly closed: boolean;
  /** Server: HEADERS with `:status` first. `end` closes our direction. Throws if headers were sent before. */
  respond(headers: HeaderList, end: boolean): void;
  /**
   * Room for at most `want` payload bytes that the window, the peer's frame size and the gather buffer (filled up to
   * `gatherLimit` bytes) allow, or null: then `onSendReady` follows once. The reservation is one shared object, valid
   * until the next call into the connection. `commit` or nothing must follow. Null without `onSendReady`: our
   * direction is closed. Throws on a server before `respond`.
   */
  reserve(want: number, gatherLimit: number): Reservation | null;
  /** Turns the first `length` reserved bytes into DATA frames; `end` sets END_STREAM (length 0: an empty frame). */
  commit(length: number, end: boolean): void;
  /** END_STREAM without payload. Never waits for a window. */
  end(): void;
  /** RST_STREAM, unless it is closed. No handler call follows. Gives up what was received and not released. */
  reset(code: ErrorCode): void;
  /**
   * `length` received bytes have left for the other side: their credit may go back to the peer. Also for bytes of a
   * stream that has ended meanwhile; not for one that was reset.
   */
  release(length: number): void;
}

export interface ConnectionHandler {
  /**
   * Server: a complete request of any method. Set `stream.handler` before returning. `end`: END_STREAM came with it;
   * `onEnd` follows as always, unless the answer ended the stream.
   */
  onRequest(stream: Stream, headers: HeaderList, end: boolean): void;
  /**
   * Output is waiting (called once, again only after `flushTo` reported "empty"; the first time from inside the
   * constructor). Note it and flush later: other calls may be going on.
   */
  onOutput(): void;
  /** The peer's first SETTINGS arrived: its limits are known. */
  onSettings(): void;
  /** The peer's GOAWAY: no new stream here. Streams above `lastStreamId` get `onReset` (REFUSED_STREAM, by peer). */
  onGoAway(lastStreamId: number, failure: H2Failure): void;
  /**
   * The connection is over, called once: a connection error (GOAWAY has been queued: flush, then close), a finished
   * drain, a client's last stream after the peer's GOAWAY, `lost` or `transportEnded`. Every stream still open
   * got `onReset` before, and `onOutput` unless it is due already. May come from `receive`, `resume`, `tick`, `flushTo`,
   * `drain`, `lost` and `transportEnded`.
   */
  onEnd(failure: H2Failure): void;
}

export interface Connection {
  readonly role: "client" | "server";
  /** Open streams, either direction. */
  readonly streamCount: number;
  /** Streams that `open` would still give: peer's MAX_CONCURRENT_STREAMS, ids left, no GOAWAY seen or sent. */
  readonly canOpen: boolean;
  /** GOAWAY sent or received, or ended. */
  readonly draining: boolean;
  readonly ended: boolean;

  /**
   * Work is left that the last pass had no time for: received bytes (`workPerPass`), or streams that do not know yet
   * that the connection has ended. Call `resume` in another turn, and `receive` only when it is false again. Look after
   * every `receive`, `resume`, `tick`, `flushTo` and `lost`.
   */
  readonly behind: boolean;

  /** Feed received bytes `[start, end)`. Never throws for what the peer sent; everything is consumed or copied. */
  receive(bytes: Uint8Array, start: number, end: number, now: Millis): void;
  /** Another pass over what the last one left; also behind the end of the connection. */
  resume(now: Millis): void;
  /**
   * From now on a stream of the peer may have at most this many bytes in flight for each ms of the round trip, but
   * never less than this many; null: its whole window. For small messages that share the connection with bulk: bytes
   * queued ahead of them delay them.
   */
  limitInFlight(bytes: number | null): void;
  /** The smallest round-trip time of the network path: it determines how large windows must be. */
  noteRoundTrip(roundTrip: Millis): void;
  /**
   * From now on at most this many bytes of DATA are gathered for the transport, whatever `reserve` asks for; null: no
   * limit. For a slow transport: gathered bytes delay everything that is sent after them.
   */
  limitGathered(bytes: number | null): void;
  /** Large reservations end where the output of the turn fills multiples of `unit` bytes. 1, as at first: anywhere. */
  alignOutput(unit: number): void;
  /**
   * The transport saw the end of the byte stream, failed, or was closed by its owner: all streams get `onReset` (by
   * transport), then `onEnd` unless it came before; what was not flushed is dropped. Call it in every case: it gives
   * the gather buffer back.
   */
  transportEnded(reason: string): void;
  /**
   * The same for a transport that broke: streams are told in passes, `onEnd` comes behind the last one. `byUs`: it was
   * us who broke it, for a breach below HTTP/2.
   */
  lost(reason: string, byUs?: boolean): void;
  /** Ends it at once with GOAWAY(NO_ERROR); every stream is told `reason`, as by us. Look at {@link behind} afterwards. */
  abandon(reason: string, now: Millis): void;
  /** Client: a CONNECT. Null when `canOpen` is false. */
  open(headers: HeaderList, handler: StreamHandler): Stream | null;
  /**
   * Hands gathered frames to `to` until it takes less than offered. "blocked": call again when writable, offering at
   * least the same bytes. Streams that waited for room are told (`onSendReady`).
   */
  flushTo(to: { write(bytes: Uint8Array): number }): "empty" | "blocked" | "failed";
  /** PING now; `onEnd` (by us, reason "ping timeout ...") when no ACK arrives in time. Also sent by `tick`. */
  ping(now: Millis): void;
  /**
   * Server graceful: GOAWAY 2^31-1, PING, then the final GOAWAY; client: GOAWAY(NO_ERROR). `onEnd` when the last
   * stream has ended.
   */
  drain(now: Millis): void;
  /** When `tick` wants to be called, or null. */
  nextDeadline(): Millis | null;
  tick(now: Millis): void;
}

/** Sizes in bytes. Defaults: `docs/spec/dataplane.md` 2.3. */
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
  /** Time for the peer's preface and first SETTINGS (observed.md O31). */
  readonly prefaceTimeout: Millis;
  /** Received bytes that all streams together may hold before the connection's credit waits for `release` (O30). */
  readonly maxUnreleased: number;
  /** What one pass may do before others have their turn, in units of `work.ts`. */
  readonly workPerPass: number;
  readonly limits: AbuseLimits;
}

/** Budgets of what a peer may do; each breach ends the connection with ENHANCE_YOUR_CALM and names itself. */
export interface AbuseLimits {
  /** RST_STREAM frames of the peer for streams that were answered: `burst` at once, refilled at `perSecond`. */
  readonly resets: Budget;
  /** The same for streams that were not answered yet, and for RST_STREAM frames that the peer makes us send. */
  readonly earlyResets: Budget;
  readonly emptyData: Budget;
  readonly pings: Budget;
  readonly settings: Budget;
  readonly windowUpdates: Budget;
  readonly otherControl: Budget;
  readonly continuationsPerBlock: number;
  readonly headerBlockBytes: number;
  /** Frames we owe the peer (ACKs, resets) that it does not take, in bytes. */
  readonly queuedControlBytes: number;
}

export interface Budget {
  readonly burst: number;
  readonly perSecond: number;
}
