/** A TLS session on a socket after its handshake, as `tls_duplex.ts` uses it: whoever protects its records. */
import type { TlsFailure } from "../os/tls_failure.ts";
import type { Millis } from "./clock.ts";

export { BROKEN } from "../os/tls_native_session.ts";

/**
 * What a read has left. "more": perhaps there is more. "nothing": the socket is empty. "end": close_notify was read, and
 * nothing is read any more.
 */
export type Remainder = "more" | "nothing" | "end";

/** The caller still owns the socket. Whoever has a session calls {@link SocketSession.free}. */
export interface SocketSession {
  /** Why the session has failed: the first reason that was found. */
  readonly failure: TlsFailure | null;
  /** Of the last read. */
  readonly remainder: Remainder;
  /** Bytes of the records of the last read. */
  readonly wireBytes: number;
  /** The socket has everything that was taken. */
  readonly isFlushed: boolean;

  /**
   * Reads as many records as there are, up to a limit, into `into`. Returns the number of data bytes, 0 where there are
   * none, or {@link BROKEN}. `now`: of a monotonic clock. `mayStop`: a read of the socket that returns less than it could
   * means that the socket is empty.
   */
  read(into: Uint8Array, now: Millis, mayStop: boolean): number;

  /**
   * Writes to the socket. Returns how many bytes were taken, or {@link BROKEN}. Not all of them: the socket is full, and
   * the next call must offer the rest first.
   */
  write(bytes: Uint8Array): number;
  /**
   * Moves what was taken and not written yet to the socket. False: the socket is full, or the session has failed
   * (`failure` is set).
   */
  flush(): boolean;
  /** Sends close_notify, once, as far as the socket takes it. Returns as {@link flush}. Nothing may be written any more. */
  sendCloseNotify(): boolean;
  /** Frees memory and secrets. Idempotent. */
  free(): void;
}
