/**
 * A TLS session after its handshake, over a socket (`tls_duplex.ts`) or another stream (`tls_layered_duplex.ts`): whoever
 * protects its records. Here, a carrier is what carries them.
 */
import type { TlsFailure } from "../os/tls_failure.ts";
import type { Millis } from "./clock.ts";

export { BROKEN } from "../os/tls_native_session.ts";

/**
 * What a read has left. "more": perhaps there is more. "nothing": the carrier is empty. "end": close_notify was read, and
 * nothing is read any more.
 */
export type Remainder = "more" | "nothing" | "end";

/** The caller still owns the carrier. Whoever has a session calls {@link TlsSession.free}. */
export interface TlsSession {
  /** Why the session has failed: the first reason that was found. */
  readonly failure: TlsFailure | null;
  /** Of the last read. */
  readonly remainder: Remainder;
  /** Bytes of the records of the last read. */
  readonly wireBytes: number;
  /** The carrier has everything that was taken. */
  readonly isFlushed: boolean;

  /**
   * Reads as many records as there are, up to a limit, into `into`. Returns the number of data bytes, 0 where there are
   * none, or {@link BROKEN}. `now`: of a monotonic clock. `mayStop`: a read of the carrier that returns less than it could
   * means that the carrier is empty.
   */
  read(into: Uint8Array, now: Millis, mayStop: boolean): number;

  /**
   * Writes to the carrier. Returns how many bytes were taken, or {@link BROKEN}. Not all of them: the carrier is full, and
   * the next call must offer the rest first.
   */
  write(bytes: Uint8Array): number;
  /**
   * Moves what was taken and not written yet to the carrier. False: the carrier is full, or the session has failed
   * (`failure` is set).
   */
  flush(): boolean;
  /** Sends close_notify, once, as far as the carrier takes it. Returns as {@link flush}. Nothing may be written any more. */
  sendCloseNotify(): boolean;
  /** Frees memory and secrets. Idempotent. */
  free(): void;
}
