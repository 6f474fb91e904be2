/**
 * The seam between bytes and those who carry them: a connected byte stream, plain or TLS.
 *
 * Readiness style, as the kernel gives it: the stream says that it became readable or writable, its one user reads
 * into memory of its own choice. So payload can land where the next hop wants it (behind a frame header) without a
 * copy, and not reading is all there is to back-pressure.
 */
import type { SocketAddress } from "./address.ts";
import type { NetworkPath } from "./network_path.ts";

/** How and by whom a stream was ended. Travels end to end: TCP RST ↔ RST_STREAM ↔ TCP RST. */
export interface Ending {
  readonly by: "peer" | "us" | "system";
  readonly how: "fin" | "reset" | "timeout" | "error";
  /** Stable name: an errno (`ECONNRESET`), or one of ours (`DIAL_TIMEOUT`, `TLS_ALERT`, `CLOSED`). */
  readonly code: string;
  /** For the log: `Connection reset by peer (os error 104)`. */
  readonly message: string;
}

/** Returned by reads and writes when the stream failed; `failure` then says how. */
export const FAILED = -1;

/** (offset, length) pairs into one buffer. Reused by its owner, valid during the call only. */
export type Segments = Int32Array;

export interface Duplex {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  /** False when the last read took all there was. Reading on while true costs a call but is never wrong. */
  readonly readable: boolean;
  /** The peer will send nothing more, and all it sent has been read. */
  readonly ended: boolean;
  /** The connection is broken, by a reset say; what came before may still be read. Announced by `onReadable`. */
  readonly broken: boolean;
  /** Set once a read or write returned {@link FAILED}, or before `onFailure`. */
  readonly failure: Ending | null;
  /** Large writes are cheapest in multiples of so many bytes, which leave in whole segments. 1: it does not matter. */
  readonly writeUnit: number;
  /** Null where nothing can be measured: in memory, or over another stream. */
  readonly path: NetworkPath | null;

  /**
   * Sets the one user; nothing is called before this. Called again it hands the stream to another user. What was there
   * before need not be announced: look at `readable` after it.
   */
  start(sink: DuplexSink): void;

  /**
   * Reads at most `into.length` bytes. Returns how many, 0 when there is nothing now or the stream `ended`,
   * {@link FAILED} when it failed. `ended` may become true together with the last bytes.
   */
  read(into: Uint8Array): number;
  /** The same into several parts of one buffer, in order, with one system call. */
  readScatter(into: Uint8Array, segments: Segments, count: number): number;

  /**
   * Offers bytes; returns how many were taken (0 to all), {@link FAILED} when the stream failed. The rest stays with
   * the caller, who offers it again after `onWritable`. A TLS stream takes all or nothing, and wants at least the
   * same bytes again. `last` says that {@link Duplex.end} follows at once, so that FIN can ride on the data.
   */
  write(bytes: Uint8Array, last?: boolean): number;
  /** The same from several parts of one buffer. */
  writeGather(from: Uint8Array, segments: Segments, count: number, last?: boolean): number;

  /** Half-close: nothing more will be written. The other direction goes on. */
  end(): void;
  /** Ends both directions and frees the stream. Without `reset` as politely as the transport can. Idempotent. */
  close(reset?: boolean): void;
}

export interface DuplexSink {
  /** There is something to read, or the end. Not said again before a read came back with `readable` false. */
  onReadable(): void;
  /** A write that was not taken whole can go on. */
  onWritable(): void;
  /** The stream failed outside a call of ours. `failure` is set; close it. */
  onFailure(ending: Ending): void;
}
