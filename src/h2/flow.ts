/**
 * Flow control (RFC 9113 §5.2, §6.9): how much we may send, how much the peer may send.
 *
 * Credit is announced in large steps, once it amounts to half of what the peer has left: a window costs three
 * WINDOW_UPDATE frames instead of one per DATA frame, and a peer that has little left gets more early.
 */

import type { HeldBytes, PeerHoldings } from "./held_bytes.ts";

/** No window may exceed this (RFC 9113 §6.9.1). */
export const MAX_WINDOW = 0x7fffffff;
/** Every window before SETTINGS or WINDOW_UPDATE changed it. */
export const INITIAL_WINDOW = 65_535;
/** Less credit than this is held back until there is more, unless it is half of the window. */
const LEAST_INCREMENT = 65_536;

/** What the peer lets us send. Negative after a SETTINGS that shrank it (RFC 9113 §6.9.2). */
export class SendWindow {
  constructor(public available: number) {}

  spend(length: number): void {
    this.available -= length;
  }

  /** By WINDOW_UPDATE or a change of the initial window. False: above {@link MAX_WINDOW}, a FLOW_CONTROL_ERROR. */
  change(by: number): boolean {
    const next = this.available + by;
    if (next > MAX_WINDOW) return false;
    this.available = next;
    return true;
  }
}

/** What we let the peer send. */
export class ReceiveWindow {
  /** Bytes the peer may still send. */
  available: number;
  /** Bytes used up and not yet announced again. */
  private owed = 0;

  constructor(public size: number) {
    this.available = size;
  }

  /** Enlarges the window. The peer gets the credit with the next {@link giveBack}. */
  grow(by: number): void {
    this.size += by;
    this.owed += by;
  }

  /** The peer used `length`. False: more than it had. */
  take(length: number): boolean {
    if (length > this.available) return false;
    this.available -= length;
    return true;
  }

  /**
   * `length` bytes may come again. Returns the increment to announce now, or 0 while it is not worth a frame. `limit`:
   * only so much of the window is to be used; credit for the rest of it is kept back.
   */
  giveBack(length: number, limit = this.size): number {
    this.owed += length;
    const increment = this.owed - Math.max(0, this.size - limit);
    const worthwhile = Math.min(Math.max(this.available >>> 1, LEAST_INCREMENT), Math.min(limit, this.size) >>> 1);
    if (increment < worthwhile || increment <= 0) return 0;
    this.owed -= increment;
    this.available += increment;
    return increment;
  }
}

/** A connection that holds no more than this is not closed because of other connections of its peer. */
const HARMLESS = 65_536;
/** Returned by {@link ConnectionCredit.deliver}: the bytes cannot be held, the connection must end. */
export const BREACH = -1;

/**
 * The connection's receive window. Its credit returns as bytes arrive, not as they are used: a stream whose
 * application does not read holds its own window and no other's (`docs/spec/observed.md` O30). Only while all streams
 * together hold more than `bound` bytes, or all connections of the thread more than is good ({@link HeldBytes}), does
 * the connection's credit wait for applications.
 */
export class ConnectionCredit {
  readonly window: ReceiveWindow;
  /** Bytes handed to streams and not released. */
  private unreleased = 0;
  /** Bytes whose credit is held back. */
  private waiting = 0;

  private readonly holdings: PeerHoldings;

  /** `peer`: whose bytes they are, for the share of each identity. */
  constructor(size: number, private readonly bound: number, private readonly held: HeldBytes, peer: string) {
    this.window = new ReceiveWindow(size);
    this.holdings = held.open(peer);
  }

  /** Bytes that applications have not taken, of all connections of the peer. */
  get heldByPeer(): number {
    return this.holdings.held;
  }

  /** Nothing more is received. To be called once. */
  close(): void {
    this.held.close(this.holdings);
  }

  /** The window of a stream has grown. The connection's window grows too, as far as its limit allows. */
  grow(by: number): void {
    this.window.grow(Math.max(0, Math.min(by, this.bound - this.window.size)));
  }

  /** Bytes were delivered to a stream. Returns the increment to announce, or 0, or {@link BREACH}. */
  deliver(length: number): number {
    this.unreleased += length;
    const verdict = this.held.add(this.holdings, length);
    if (verdict === "breach" && this.unreleased > HARMLESS) {
      this.unreleased -= length;
      this.held.remove(this.holdings, length);
      return BREACH;
    }
    if (verdict === "credit" && this.unreleased <= this.bound) return this.window.giveBack(length);
    this.waiting += length;
    return 0;
  }

  /** Bytes left a stream. Returns the increment to announce, or 0. */
  release(length: number): number {
    if (length === 0) return 0;
    this.unreleased -= length;
    this.held.remove(this.holdings, length);
    if (this.waiting === 0) return 0;
    const back = Math.min(this.waiting, length);
    this.waiting -= back;
    return this.window.giveBack(back);
  }

  /** Bytes that no stream got: padding, DATA after a reset. Returns the increment to announce, or 0. */
  discard(length: number): number {
    return this.window.giveBack(length);
  }
}
