/** Gather buffers, shared by the connections of one thread. */

/** DATA frames stop here. */
export const DATA_CAPACITY = 1 << 20;
/** What control frames may use behind it. */
export const HEADROOM = 64 << 10;

/**
 * Lends buffers of {@link DATA_CAPACITY} + {@link HEADROOM} bytes. A connection has one from its first queued frame
 * until everything was handed to the transport, so idle connections own none and a reactor that flushes at the end of
 * its turn needs about one in all. Contents are not cleared: what was in them has left for the peer of another
 * connection, and only bytes written since are ever sent.
 */
export class BufferPool {
  private readonly free: Uint8Array[] = [];

  /** `maxFree`: buffers kept for later; more than that are left to the garbage collector. */
  constructor(private readonly maxFree = 4) {}

  borrow(): Uint8Array {
    return this.free.pop() ?? new Uint8Array(DATA_CAPACITY + HEADROOM);
  }

  giveBack(buffer: Uint8Array): void {
    if (this.free.length < this.maxFree) this.free.push(buffer);
  }

  /** Buffers waiting to be lent. */
  get freeCount(): number {
    return this.free.length;
  }
}
