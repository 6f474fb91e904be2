/**
 * The output buffer of one connection: gathers the frames of all its streams, which are handed to the transport
 * together.
 *
 * While a connection has little to send, its buffer is small. Payload is then read into the pool's shared buffer, and
 * {@link OutputBuffer.commit} decides by their size whether they are copied or the shared buffer is kept.
 */
import { type BufferPool, DATA_CAPACITY, HEADROOM, LARGEST } from "./buffer_pool.ts";
import { FLAG_END_STREAM, FRAME_HEADER, FrameType, putFrameHeader } from "./frame.ts";
import { MAX_SEGMENTS, type SharedReservation } from "./reservation.ts";

export { BufferPool } from "./buffer_pool.ts";

/** With less room than this, a read has to wait for the next flush. */
const USEFUL_ROOM = 16_384;
/** Room that is reserved for the last frame, GOAWAY with its debug text. */
const GOAWAY_ROOM = 256;
/** Up to this many bytes in total are copied into a buffer of their size; with more, the shared buffer is kept. */
const WORTH_COPYING = 16_384;

const NO_BUFFER = new Uint8Array(0);

/** Notified by the output buffer: the connection. */
export interface OutputOwner {
  /** The buffer was empty, and now bytes are waiting. */
  onOutput(): void;
  /** A control frame found no room, or too many bytes of control frames wait: the peer does not read. */
  onControlOverflow(): void;
}

/**
 * Frames that wait for the transport, and space for more.
 *
 * ```
 *            sent          end        gatherLimit      DATA_CAPACITY       + HEADROOM
 *  ├──────────┼─────────────┼──────────────┼────────────────┼────────────────┤
 *   taken by     waiting       DATA may be     DATA, where a     control frames
 *   transport                  reserved        caller allows it  only
 * ```
 */
export class OutputBuffer {
  readonly #pool: BufferPool;
  readonly #owner: OutputOwner;
  readonly #maxControlBytes: number;
  /** Empty array while nothing is queued. */
  bytes: Uint8Array = NO_BUFFER;
  end = 0;
  #sent = 0;
  /** An upper bound of the bytes of control frames that wait. */
  #controlBytes = 0;
  /** The last {@link layout} found no room. */
  full = false;
  /** Bytes that the transport takes as one unit: `Connection.alignOutput`. */
  unit = 1;
  #announced = false;
  #overflowed = false;

  constructor(
    pool: BufferPool,
    owner: OutputOwner,
    maxControlBytes: number,
  ) {
    this.#pool = pool;
    this.#owner = owner;
    this.#maxControlBytes = maxControlBytes;
  }

  /** Bytes that wait for the transport. */
  get pending(): number {
    return this.end - this.#sent;
  }

  /** Bytes of frames of any kind that still fit. */
  get room(): number {
    return this.#overflowed ? 0 : DATA_CAPACITY + HEADROOM - GOAWAY_ROOM - this.pending;
  }

  /** Bytes that still fit of frames that the peer makes us send. */
  get controlRoom(): number {
    return Math.min(this.room, this.#maxControlBytes - this.#controlBytes);
  }

  /**
   * Provides room for a control frame of `length` bytes. Returns its offset in `bytes`, or -1: there is no room, and
   * the owner was notified. Write the frame, then call {@link wrote}.
   */
  claim(length: number): number {
    if (this.#overflowed || length > this.controlRoom) {
      this.overflow();
      return -1;
    }
    this.#prepare(length + GOAWAY_ROOM);
    return this.end;
  }

  /** The same for the last frame: uses the room that is reserved for it. */
  claimLast(length: number): number {
    if (length > GOAWAY_ROOM || this.pending + length > DATA_CAPACITY + HEADROOM) return -1;
    this.#prepare(length);
    return this.end;
  }

  /**
   * Provides space for a frame of up to `length` bytes in `bytes`, from `end` on. Check {@link room}, then call
   * {@link wrote}.
   */
  open(length: number): void {
    this.#prepare(length + GOAWAY_ROOM);
  }

  /** A control frame has no room: notifies the owner, once. */
  overflow(): void {
    if (this.#overflowed) return;
    this.#overflowed = true;
    this.#owner.onControlOverflow();
  }

  /** The frames now end at `end`. `isCausedByPeer`: they count against the limit of control frames. */
  wrote(end: number, isCausedByPeer = true): void {
    if (isCausedByPeer) this.#controlBytes += end - this.end;
    this.end = end;
    this.announce();
  }

  /**
   * Lays out DATA frames for up to `want` payload bytes, none above `frameSize`, that end at or before `gatherLimit`.
   * Null: the buffer has no useful room until the next flush.
   */
  layout(want: number, gatherLimit: number, frameSize: number): SharedReservation | null {
    const own = this.bytes.length === LARGEST;
    if (!own) this.#moveToStart();
    const limit = this.#wholeUnits(want, frameSize, Math.min(Math.max(gatherLimit, FRAME_HEADER + 1), DATA_CAPACITY));
    const useful = want < USEFUL_ROOM ? want : USEFUL_ROOM;
    // An empty buffer is never full: with a small `gatherLimit` nothing would ever be sent.
    this.full = this.end > 0 && limit - this.end < useful + FRAME_HEADER;
    if (this.full) return null;
    const r = this.#pool.reservation;
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
    r.bytes = own ? this.bytes : this.#pool.shared;
    r.at = this.end;
    r.frameSize = frameSize;
    r.count = count;
    r.total = want - left;
    return r;
  }

  /**
   * The offset where a reservation of `want` bytes must end: at the last whole unit of output before `limit`, unless
   * less than half of `want` would remain.
   */
  #wholeUnits(want: number, frameSize: number, limit: number): number {
    if (want < this.unit) return limit;
    const end = Math.min(limit, this.end + want + FRAME_HEADER * Math.ceil(want / frameSize));
    const aligned = end - (end - this.#sent) % this.unit;
    return aligned - this.end > want >> 1 ? aligned : limit;
  }

  /** The last {@link layout} still describes free room. */
  get reservationValid(): boolean {
    const r = this.#pool.reservation;
    return r.owner === this && r.at === this.end;
  }

  /** Turns the first `length` > 0 bytes of the last {@link layout} into DATA frames. Returns the number of frames. */
  commit(streamId: number, length: number, endStream: boolean): number {
    const r = this.#pool.reservation;
    if (length > r.total) throw new RangeError(`Cannot commit ${length} bytes as ${r.total} were reserved`);
    const frames = Math.ceil(length / r.frameSize);
    const source = this.#takeIn(r, length + frames * FRAME_HEADER);
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
   * Makes `this.bytes` contain the waiting frames and, behind them, `length` bytes for frames whose payload is in the
   * reservation. Returns the buffer from which the payload must still be copied, to the same offsets, or null.
   */
  #takeIn(r: SharedReservation, length: number): Uint8Array | null {
    if (r.bytes === this.bytes) return null;
    const total = this.end + length;
    if (total <= WORTH_COPYING) {
      this.#grow(total);
      return r.bytes;
    }
    const shared = this.#pool.keepShared();
    this.#replace(shared);
    return null;
  }

  /** Notifies the owner that there is output; once, until {@link markFlushed}. */
  announce(): void {
    if (this.#announced) return;
    this.#announced = true;
    this.#owner.onOutput();
  }

  /** Hands the waiting frames to `to`. After "empty" the buffer is returned to the pool. */
  flushTo(to: { write(bytes: Uint8Array): number }): "empty" | "blocked" | "failed" {
    while (this.#sent < this.end) {
      const offered = this.end - this.#sent;
      const taken = to.write(this.bytes.subarray(this.#sent, this.end));
      if (taken < 0 || this.end === 0) return "failed"; // `write` may have ended the connection
      this.#sent += taken;
      if (taken > 0 && this.#controlBytes > this.pending) this.#controlBytes = this.pending;
      if (taken < offered) {
        this.#shrink();
        return "blocked";
      }
    }
    this.clear();
    return "empty";
  }

  /** The owner has flushed everything: it is notified of the next frame. */
  markFlushed(): void {
    this.#announced = false;
  }

  /** Drops the waiting frames and returns the buffer to the pool. */
  clear(): void {
    if (this.bytes.length > 0) this.#pool.giveBack(this.bytes);
    this.bytes = NO_BUFFER;
    if (this.#pool.reservation.owner === this) this.#pool.reservation.owner = null;
    this.#sent = this.end = this.#controlBytes = 0;
    this.full = false;
  }

  /** Makes space for `length` bytes behind `end`. */
  #prepare(length: number): void {
    if (this.end + length <= this.bytes.length) return;
    this.#moveToStart();
    this.#grow(this.end + length);
  }

  /** TLS requires the same bytes in a repeated write, but not at the same address, so they may be moved. */
  #moveToStart(): void {
    if (this.#sent === 0) return;
    this.bytes.copyWithin(0, this.#sent, this.end);
    this.end -= this.#sent;
    this.#sent = 0;
  }

  #grow(length: number): void {
    if (length > this.bytes.length && this.bytes.length < LARGEST) {
      this.#replace(this.#pool.borrow(Math.min(length, LARGEST)));
    }
  }

  /** The transport takes no more for now: where many buffers are lent, moves the frames to one of their size. */
  #shrink(): void {
    if (this.pending * 4 > this.bytes.length || !this.#pool.isCrowded) return;
    this.#replace(this.#pool.borrow(this.pending + GOAWAY_ROOM));
  }

  /** Moves the waiting frames to the start of `bytes`; the previous buffer is returned to the pool. */
  #replace(bytes: Uint8Array): void {
    const before = this.bytes;
    if (this.end > this.#sent) bytes.set(before.subarray(this.#sent, this.end), 0);
    this.end -= this.#sent;
    this.#sent = 0;
    this.bytes = bytes;
    if (before.length > 0) this.#pool.giveBack(before);
  }
}
