/** What can be measured on the network path of a stream. */
import type { Millis } from "./clock.ts";

/** A measurement of a path. */
export interface PathMeasure {
  /** The smallest round-trip time of the last minutes, so without the time in queues. */
  readonly roundTrip: Millis;
  /** Bytes per ms that reached the peer when we last sent without a pause; 0 before that. */
  readonly deliveryRate: number;
}

/** Segments with data since the connection was made. The counters wrap at 2^32. */
export interface SegmentCounts {
  /** Includes those that were sent again. */
  readonly sent: number;
  readonly retransmitted: number;
  readonly received: number;
  /** Of {@link received}, those that arrived while an earlier one was missing; 0 where the system does not count them. */
  readonly outOfOrder: number;
}

/** The path of a stream to its peer. */
export interface NetworkPath {
  /** Null: the system reports nothing. Costs one system call. */
  measure(): PathMeasure | null;
  /** Null: the system reports nothing. Costs one system call. */
  countSegments(): SegmentCounts | null;
  /** From now on the stream accepts more only while fewer than `bytes` of it are unsent. */
  limitUnsent(bytes: number): void;
}
