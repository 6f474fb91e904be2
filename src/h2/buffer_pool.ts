/**
 * Output buffers, shared by the connections of one thread.
 *
 * A connection has a buffer from its first queued frame until all frames were handed to the transport, so idle
 * connections have none. Most connections of a turn send a few hundred bytes, a few send a megabyte: buffers have sizes
 * from {@link SMALLEST} to {@link LARGEST}.
 *
 * The length of a read is known only afterwards. So all connections read into one shared buffer of the largest size: a
 * small result is copied into the connection's own small buffer; with a large result the connection keeps the shared
 * buffer and the pool provides another one.
 */

import { FreeList } from "../net/free_list.ts";
import { SharedReservation } from "./reservation.ts";

/** End of the space for DATA frames, in bytes. */
export const DATA_CAPACITY = 1 << 20;
/** Space for control frames behind it, in bytes. */
export const HEADROOM = 64 << 10;

export const SMALLEST = 4096;
export const LARGEST = DATA_CAPACITY + HEADROOM;
/** Buffer sizes in bytes, ascending. */
const SIZES = [SMALLEST, 16_384, 65_536, 262_144, LARGEST] as const;

/** Lent bytes above which connections must flush before the turn continues. */
const CROWDED_BYTES = 4 * LARGEST;
/** Up to this many free bytes are kept. */
const KEPT_BYTES = LARGEST;

interface BufferPoolEvents {
  /** Many bytes are lent: flush the connections that hold them as soon as the current call has returned. */
  onCrowded(): void;
  /** More is free than the pool keeps: call {@link BufferPool.trim} periodically until it returns false. */
  onSurplus(): void;
  /** Frees the memory of a buffer at once, instead of at the next garbage collection. */
  discard(buffer: ArrayBuffer): void;
}

const NO_EVENTS: BufferPoolEvents = { onCrowded() {}, onSurplus() {}, discard() {} };

/**
 * Lends output buffers to the connections of one thread.
 *
 * Contents are not cleared: old bytes in a buffer were already sent to the peer of another connection, and only bytes
 * that were written since are ever sent.
 */
export class BufferPool {
  readonly #events: BufferPoolEvents;
  readonly reservation = new SharedReservation();
  readonly #free: readonly FreeList[] = SIZES.map(() => new FreeList());
  #shared: Uint8Array<ArrayBuffer> | null = null;
  #lentBytes = 0;
  #freeBytes = 0;

  constructor(events: BufferPoolEvents = NO_EVENTS) {
    this.#events = events;
  }

  /** Bytes of all buffers that connections hold. */
  get lentBytes(): number {
    return this.#lentBytes;
  }

  /** Bytes of all free buffers. */
  get freeBytes(): number {
    return this.#freeBytes;
  }

  get isCrowded(): boolean {
    return this.#lentBytes >= CROWDED_BYTES;
  }

  /**
   * The buffer into which the next read writes: {@link LARGEST} bytes that belong to the pool until {@link keepShared}.
   */
  get shared(): Uint8Array<ArrayBuffer> {
    return this.#shared ??= this.#take(SIZES.length - 1);
  }

  /** Lends the shared buffer to the caller; the pool makes another one for the next read. */
  keepShared(): Uint8Array<ArrayBuffer> {
    const buffer = this.shared;
    this.#shared = null;
    this.#lend(buffer);
    return buffer;
  }

  /** Lends a buffer of at least `length` bytes; `length` is {@link LARGEST} at most. */
  borrow(length: number): Uint8Array<ArrayBuffer> {
    let size = 0;
    while (SIZES[size]! < length) size++;
    const buffer = this.#take(size);
    this.#lend(buffer);
    return buffer;
  }

  /** Returns a buffer that {@link borrow} or {@link keepShared} has lent. */
  giveBack(buffer: Uint8Array): void {
    this.#lentBytes -= buffer.length;
    this.#freeBytes += buffer.length;
    this.#free[SIZES.indexOf(buffer.length as typeof SIZES[number])]!.put(buffer as Uint8Array<ArrayBuffer>);
    if (this.#freeBytes > KEPT_BYTES) this.#events.onSurplus();
  }

  /** Frees surplus buffers that were not used since the last call. False: no surplus is left. */
  trim(): boolean {
    SIZES.forEach((size, index) => {
      const surplus = Math.ceil(Math.max(0, this.#freeBytes - KEPT_BYTES) / size);
      this.#free[index]!.dropUnused(surplus, (buffer) => this.#drop(buffer));
    });
    return this.#freeBytes > KEPT_BYTES;
  }

  #take(size: number): Uint8Array<ArrayBuffer> {
    const buffer = this.#free[size]!.take();
    if (buffer === undefined) return new Uint8Array(SIZES[size]!);
    this.#freeBytes -= buffer.length;
    return buffer;
  }

  #lend(buffer: Uint8Array): void {
    this.#lentBytes += buffer.length;
    if (this.isCrowded) this.#events.onCrowded();
  }

  #drop(buffer: Uint8Array<ArrayBuffer>): void {
    this.#freeBytes -= buffer.length;
    this.#events.discard(buffer.buffer);
  }
}
