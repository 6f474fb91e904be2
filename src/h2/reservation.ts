/** Describes the memory into which the payload of the next read is written. */
import type { Reservation } from "./seam.ts";

/** The payload of one read is distributed over this many frames at most. */
export const MAX_SEGMENTS = 64;

const NO_BUFFER = new Uint8Array(0);

/** The only reservation of a thread: `commit` follows directly after a read, so two connections never need one each. */
export class SharedReservation implements Reservation {
  /** The output buffer that it belongs to; null after it was committed or the buffer was cleared. */
  owner: object | null = null;
  bytes: Uint8Array = NO_BUFFER;
  readonly segments = new Int32Array(2 * MAX_SEGMENTS);
  count = 0;
  total = 0;
  /** Offset of the first frame header. */
  at = 0;
  /** Payload bytes of each frame but the last. */
  frameSize = 0;
}
