/**
 * The output buffer of one connection: frames of all its streams, handed to the transport together.
 *
 * While a connection has little to send its buffer is small. Reads then go into the pool's shared buffer, and
 * {@link OutputBuffer.commit} decides by their size whether they are copied or the shared buffer is kept.
 */
import { type BufferPool, DATA_CAPACITY, HEADROOM, LARGEST } from "./buffer_pool.ts";
import { FLAG_END_STREAM, FRAME_HEADER, FrameType, putFrameHeader } from "./frame.ts";
import { MAX_SEGMENTS, type SharedReservation } from "./reservation.ts";

export { BufferPool } from "./buffer_pool.ts";

/** Less room than this is not worth a read: wait for the flush. */
const USEFUL_ROOM = 16_384;
/** Kept for the last frame of all, GOAWAY with its debug text. */
const GOAWAY_ROOM = 256;
/** Up to this many bytes in all are copied into a buffer of their size, instead of keeping the shared one. */
const WORTH_COPYING = 16_384;

const NO_BUFFER = new Uint8Array(0);

export interface OutputOwner {
  /** The first bytes since the last time the buffer was empty. */
  onOutput(): void;
  /** A control frame found no room, or too many bytes of them wait: the peer does not read. */
  onControlOverflow(): void;
}

/**
 * ```
 *            sent          end        gatherLimit      DATA_CAPACITY       + HEADROOM
 *  ├──────────┼─────────────┼──────────────┼────────────────┼────────────────┤
 *   taken by     waiting       DATA may be     of the reader's   control frames
 *   transport                  reserved        choice            only
 * ```
 */
export class OutputBuffer {
  /** Empty array while nothing is queued. */
  bytes: Uint8Array = NO_BUFFER;
  end = 0;
  private sent = 0;
  /** Bytes of control frames waiting, at most. */
  private controlBytes = 0;
  /** The last {@link layout} found no room. */
  full = false;
  /** Of the transport below: `Connection.alignOutput`. */
  unit = 1;
  private announced = false;
  private overflowed = false;

  constructor(
    private readonly pool: BufferPool,
    private readonly owner: OutputOwner,
    private readonly maxControlBytes: number,
  ) {}

  get pending(): number {
    return this.end - this.sent;
  }

  /** Bytes that still fit, whatever they are. */
  get room(): number {
    return this.overflowed ? 0 : DATA_CAPACITY + HEADROOM - GOAWAY_ROOM - this.pending;
  }

  /** Room left for frames that the peer makes us send, in bytes. */
  get controlRoom(): number {
    return Math.min(this.room, this.maxControlBytes - this.controlBytes);
  }

  /**
   * Room for a control frame of `length` bytes: its offset in `bytes`, or -1 when there is none (the owner has been
   * told). Write it, then call {@link wrote}.
   */
  claim(length: number): number {
    if (this.overflowed || length > this.controlRoom) {
      this.overflow();
      return -1;
    }
    this.prepare(length + GOAWAY_ROOM);
    return this.end;
  }

  /** The same for the last frame: takes the room that was kept for it. */
  claimLast(length: number): number {
    if (length > GOAWAY_ROOM || this.pending + length > DATA_CAPACITY + HEADROOM) return -1;
    this.prepare(length);
    return this.end;
  }

  /** Space for a frame of up to `length` bytes, `bytes` from `end` on. Check the space, then call {@link wrote}. */
  open(length: number): void {
    this.prepare(length + GOAWAY_ROOM);
  }

  overflow(): void {
    if (this.overflowed) return;
    this.overflowed = true;
    this.owner.onControlOverflow();
  }

  /** Control frames now end at `end`. `owed`: we owe them to the peer, so they count against its budget. */
  wrote(end: number, owed = true): void {
    if (owed) this.controlBytes += end - this.end;
    this.end = end;
    this.announce();
  }

  /**
   * Lays out frames for up to `want` payload bytes, none above `frameSize`, ending at or before `gatherLimit`; null
   * when the buffer has no useful room until the next flush.
   */
  layout(want: number, gatherLimit: number, frameSize: number): SharedReservation | null {
    const own = this.bytes.length === LARGEST;
    if (!own) this.moveToStart();
    const limit = this.wholeUnits(want, frameSize, Math.min(Math.max(gatherLimit, FRAME_HEADER + 1), DATA_CAPACITY));
    const useful = want < USEFUL_ROOM ? want : USEFUL_ROOM;
    // An empty buffer is never full, or a small `gatherLimit` would wait for ever.
    this.full = this.end > 0 && limit - this.end < useful + FRAME_HEADER;
    if (this.full) return null;
    const r = this.pool.reservation;
    const segments = r.segments;
    let at = this.end, left = want, count = 0;
    while (left > 0 && count < MAX_SEGMENTS) {
      const room = limit - at - FRAME_HEADER;
      if (room <= 0) break;
      const length = Math.min(frameSize, left, room);
      segments[2 * count] = at + FRAME_HEADER;
      segments[2 * count + 1] = length;
      count++;
      at += FRAME_HEADER + length;
      left -= length;
    }
    r.owner = this;
    r.bytes = own ? this.bytes : this.pool.shared;
    r.at = this.end;
    r.frameSize = frameSize;
    r.count = count;
    r.total = want - left;
    return r;
  }

  /**
   * Where a reservation of `want` bytes has to end: with the last whole unit of output before `limit`, unless that
   * would cost more than half of a small one.
   */
  private wholeUnits(want: number, frameSize: number, limit: number): number {
    if (want < this.unit) return limit;
    const end = Math.min(limit, this.end + want + FRAME_HEADER * Math.ceil(want / frameSize));
    const aligned = end - (end - this.sent) % this.unit;
    return aligned - this.end > want >> 1 ? aligned : limit;
  }

  /** True while the last {@link layout} still describes free room. */
  get reservationValid(): boolean {
    const r = this.pool.reservation;
    return r.owner === this && r.at === this.end;
  }

  /** Turns the first `length` > 0 bytes of the last {@link layout} into DATA frames. Returns how many frames. */
  commit(streamId: number, length: number, endStream: boolean): number {
    const r = this.pool.reservation;
    if (length > r.total) throw new RangeError(`Cannot commit ${length} bytes as ${r.total} were reserved`);
    const frames = Math.ceil(length / r.frameSize);
    const source = this.takeIn(r, length + frames * FRAME_HEADER);
    const bytes = this.bytes, frameSize = r.frameSize;
    let at = r.at, left = length;
    while (left > 0) {
      const payload = left < frameSize ? left : frameSize;
      left -= payload;
      const flags = endStream && left === 0 ? FLAG_END_STREAM : 0;
      const body = putFrameHeader(bytes, at, payload, FrameType.DATA, flags, streamId);
      if (source !== null) bytes.set(source.subarray(body, body + payload), body);
      at = body + payload;
    }
    r.owner = null;
    this.end = at;
    return frames;
  }

  /**
   * Makes `this.bytes` hold the waiting frames and, behind them, `length` bytes of frames whose payload lies in the
   * reservation. Returns the buffer from which the payload must still be copied, to the same offsets, or null.
   */
  private takeIn(r: SharedReservation, length: number): Uint8Array | null {
    if (r.bytes === this.bytes) return null;
    const total = this.end + length;
    if (total <= WORTH_COPYING) {
      this.grow(total);
      return r.bytes;
    }
    const shared = this.pool.keepShared();
    this.replace(shared);
    return null;
  }

  /** Tells the owner that there is output, once until {@link flushTo} has emptied the buffer. */
  announce(): void {
    if (this.announced) return;
    this.announced = true;
    this.owner.onOutput();
  }

  /** Hands over what waits. "empty" gives the buffer back to the pool. */
  flushTo(to: { write(bytes: Uint8Array): number }): "empty" | "blocked" | "failed" {
    while (this.sent < this.end) {
      const offered = this.end - this.sent;
      const taken = to.write(this.bytes.subarray(this.sent, this.end));
      if (taken < 0 || this.end === 0) return "failed"; // the writer may have ended the connection
      this.sent += taken;
      if (taken > 0 && this.controlBytes > this.pending) this.controlBytes = this.pending;
      if (taken < offered) {
        this.shrink();
        return "blocked";
      }
    }
    this.clear();
    return "empty";
  }

  /** The buffer is empty and the owner knows: the next frame is announced again. */
  rest(): void {
    this.announced = false;
  }

  /** Drops what waits and gives the buffer back. */
  clear(): void {
    if (this.bytes.length > 0) this.pool.giveBack(this.bytes);
    this.bytes = NO_BUFFER;
    if (this.pool.reservation.owner === this) this.pool.reservation.owner = null;
    this.sent = this.end = this.controlBytes = 0;
    this.full = false;
  }

  /** Makes space for `length` bytes behind `end`. */
  private prepare(length: number): void {
    if (this.end + length <= this.bytes.length) return;
    this.moveToStart();
    this.grow(this.end + length);
  }

  /** Moving is allowed: TLS requires the same bytes in a repeated write, not the same address. */
  private moveToStart(): void {
    if (this.sent === 0) return;
    this.bytes.copyWithin(0, this.sent, this.end);
    this.end -= this.sent;
    this.sent = 0;
  }

  private grow(length: number): void {
    if (length > this.bytes.length && this.bytes.length < LARGEST) {
      this.replace(this.pool.borrow(Math.min(length, LARGEST)));
    }
  }

  /** The peer does not read for now: where many buffers are lent, the connection keeps only as much as it needs. */
  private shrink(): void {
    if (this.pending * 4 > this.bytes.length || !this.pool.isCrowded) return;
    this.replace(this.pool.borrow(this.pending + GOAWAY_ROOM));
  }

  /** Moves the waiting frames to the start of `bytes`; the previous buffer is returned to the pool. */
  private replace(bytes: Uint8Array): void {
    const before = this.bytes;
    if (this.end > this.sent) bytes.set(before.subarray(this.sent, this.end), 0);
    this.end -= this.sent;
    this.sent = 0;
    this.bytes = bytes;
    if (before.length > 0) this.pool.giveBack(before);
  }
}
