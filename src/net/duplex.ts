/**
 * A connected byte stream, plain or TLS: the interface between protocols and transports.
 *
 * The stream notifies its user when it becomes readable or writable, as the kernel does, and the user reads into memory
 * of its choice. So payload can be read to its place behind a frame header, without a copy, and a user that does not read
 * stops the sender.
 */
import type { SocketAddress } from "./address.ts";
import type { NetworkPath } from "./network_path.ts";

/** How a stream has ended, and which side ended it. A proxy passes it on: TCP RST ↔ RST_STREAM ↔ TCP RST. */
export interface Ending {
  readonly by: "peer" | "us" | "system";
  readonly how: "fin" | "reset" | "timeout" | "error";
  /** A stable name: of an errno (`ECONNRESET`), or one of this project (`DIAL_TIMEOUT`, `TLS_ALERT`, `CLOSED`). */
  readonly code: string;
  /** For the log: `Connection reset by peer (os error 104)`. */
  readonly message: string;
}

/** Returned by reads and writes when the stream has failed; `failure` says how. */
export const FAILED = -1;

/** (offset, length) pairs of parts of one buffer. The owner reuses the list: it is valid during the call only. */
export type Segments = Int32Array;

/** A stream with one user. Whoever has it calls {@link Duplex.close}. */
export interface Duplex {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  /** False: the last read has returned everything. A read while it is true may still return nothing. */
  readonly readable: boolean;
  /** The peer sends nothing more, and everything that it sent has been read. */
  readonly ended: boolean;
  /** The connection is broken, such as by a reset. What arrived before can still be read. `onReadable` announces it. */
  readonly broken: boolean;
  /** Set when a read or write has returned {@link FAILED}, and before `onFailure`. */
  readonly failure: Ending | null;
  /** Large writes are cheapest in multiples of this many bytes, which fill whole segments. 1: any length is as good. */
  readonly writeUnit: number;
  /** Null: nothing can be measured, as in memory or over another stream. */
  readonly path: NetworkPath | null;

  /**
   * Sets the user; nothing is called before this. A later call gives the stream to another user. What had arrived before
   * may not be announced: check `readable` after the call.
   */
  start(sink: DuplexSink): void;

  /**
   * Reads at most `into.length` bytes. Returns how many; 0: there is nothing now, or the stream has `ended`;
   * {@link FAILED}: it has failed. `ended` may become true together with the last bytes.
   */
  read(into: Uint8Array): number;
  /** As {@link read}, into several parts of one buffer, in order, with one system call. */
  readScatter(into: Uint8Array, segments: Segments, count: number): number;

  /**
   * Writes bytes. Returns how many the stream took (0 to all); {@link FAILED}: it has failed. The caller keeps the rest
   * and offers it again after `onWritable`: the next call must offer the same bytes, and may offer more. `last`:
   * {@link end} follows at once, so that the FIN can be sent with the data.
   */
  write(bytes: Uint8Array, last?: boolean): number;
  /** As {@link write}, from several parts of one buffer. */
  writeGather(from: Uint8Array, segments: Segments, count: number, last?: boolean): number;

  /** Half-close: nothing more is written. The other direction is not affected. */
  end(): void;
  /** Ends both directions and frees the stream: by a reset, or as orderly as the transport can. Idempotent. */
  close(reset?: boolean): void;
}

/** The user of a stream. */
export interface DuplexSink {
  /** There are bytes to read, or the end. Not called again before a read has left `readable` false. */
  onReadable(): void;
  /** The rest of a write that was not taken whole can be written. */
  onWritable(): void;
  /** The stream has failed outside of a call of its user. `failure` is set. The user must close the stream. */
  onFailure(ending: Ending): void;
}
