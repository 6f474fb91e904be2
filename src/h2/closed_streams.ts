/** Records how streams were closed: the treatment of late frames depends on it (RFC 9113 §5.1 "closed"). */

/** Number of recorded streams: more than any honest peer has in flight. A power of two. */
const SLOTS = 512;
/** Until a stream is closed. One for all connections, as even an empty array takes 300 bytes. */
const NO_CLOSINGS = new Uint8Array(0), NO_WINDOWS = new Int32Array(0);

/** How a stream was closed. */
export enum Closing {
  /** It was never open, or its record was overwritten. */
  UNKNOWN,
  /** Both sides sent END_STREAM. */
  ENDED,
  /** The same, and the peer has sent the one RST_STREAM that costs no budget. */
  ENDED_AND_RESET,
  RESET_BY_PEER,
  /** Frames of the peer may be in flight: they are dropped, within the window that the stream had. */
  RESET_BY_US,
}

/**
 * The record of closed streams of one connection. There is one slot for every odd id modulo {@link SLOTS}; a later
 * stream with the same slot overwrites the record. So memory is fixed, and a lookup costs the same whatever a peer
 * sends.
 */
export class ClosedStreams {
  #ids: Int32Array | null = null;
  #closings = NO_CLOSINGS;
  #windows = NO_WINDOWS;

  /** Records that stream `id` was closed. `window`: bytes that the peer could still send. */
  add(id: number, closing: Closing, window: number): void {
    if (this.#ids === null) {
      this.#ids = new Int32Array(SLOTS);
      this.#closings = new Uint8Array(SLOTS);
      this.#windows = new Int32Array(SLOTS);
    }
    const slot = slotOf(id);
    this.#ids[slot] = id;
    this.#closings[slot] = closing;
    this.#windows[slot] = window;
  }

  /** How stream `id` was closed. */
  get(id: number): Closing {
    const slot = slotOf(id);
    return this.#ids !== null && this.#ids[slot] === id ? this.#closings[slot]! : Closing.UNKNOWN;
  }

  /** Counts `length` bytes of late DATA of a stream that we reset. False: more than its window allowed. */
  take(id: number, length: number): boolean {
    const slot = slotOf(id);
    if (length > this.#windows[slot]!) return false;
    this.#windows[slot] = this.#windows[slot]! - length;
    return true;
  }
}

function slotOf(id: number): number {
  return (id >>> 1) & (SLOTS - 1);
}
