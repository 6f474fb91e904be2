/** How recently closed streams ended: what their late frames mean depends on it (RFC 9113 §5.1 "closed"). */

/** Remembered ids; more than any honest peer has in flight. A power of two. */
const SLOTS = 512;

export enum Closing {
  /** Never open, or forgotten. */
  UNKNOWN,
  ENDED,
  /** The same, and the peer has used the one RST_STREAM after it that costs nothing. */
  ENDED_AND_RESET,
  RESET_BY_PEER,
  /** The peer may not know yet: its frames are dropped, within the window the stream had. */
  RESET_BY_US,
}

/**
 * One slot for every odd id modulo {@link SLOTS}: a stream is forgotten when a later one with the same slot closes.
 * So memory is fixed, and looking up costs the same whatever a peer sends.
 */
export class ClosedStreams {
  private ids: Int32Array | null = null;
  private closings = new Uint8Array(0);
  private windows = new Int32Array(0);

  /** `window`: bytes the peer could still send. */
  add(id: number, closing: Closing, window: number): void {
    if (this.ids === null) {
      this.ids = new Int32Array(SLOTS);
      this.closings = new Uint8Array(SLOTS);
      this.windows = new Int32Array(SLOTS);
    }
    const slot = slotOf(id);
    this.ids[slot] = id;
    this.closings[slot] = closing;
    this.windows[slot] = window;
  }

  get(id: number): Closing {
    const slot = slotOf(id);
    return this.ids !== null && this.ids[slot] === id ? this.closings[slot]! : Closing.UNKNOWN;
  }

  /** Late DATA of a stream that we reset. False: more than its window allowed. */
  take(id: number, length: number): boolean {
    const slot = slotOf(id);
    if (length > this.windows[slot]!) return false;
    this.windows[slot] = this.windows[slot]! - length;
    return true;
  }
}

function slotOf(id: number): number {
  return (id >>> 1) & (SLOTS - 1);
}
