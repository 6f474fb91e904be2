/** Where the payload of the next read may land. */
import type { Reservation } from "./seam.ts";

/** One read scatters over at most this many frames. */
export const MAX_SEGMENTS = 64;

const NO_BUFFER = new Uint8Array(0);

/** The one reservation of a thread: a read and its `commit` follow at once, so no two connections need one together. */
export class SharedReservation implements Reservation {
  /** The output buffer that it was made for; null once it was used or the buffer was cleared. */
  owner: object | null = null;
  bytes: Uint8Array = NO_BUFFER;
  readonly segments = new Int32Array(2 * MAX_SEGMENTS);
  count = 0;
  total = 0;
  /** Where the first frame header goes. */
  at = 0;
  /** Payload bytes of all frames but the last. */
  frameSize = 0;
}
