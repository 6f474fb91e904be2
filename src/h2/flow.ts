/**
 * Flow control (RFC 9113 §5.2, §6.9): how much we may send, and how much the peer may send.
 *
 * Credit is announced in large steps, once it is half of what the peer has left: a window then takes three
 * WINDOW_UPDATE frames instead of one for each DATA frame, and a peer that has little left gets more early.
 */

import type { HeldBytes, PeerHoldings } from "./held_bytes.ts";

/** No window may exceed this (RFC 9113 §6.9.1). */
export const MAX_WINDOW = 0x7fffffff;
/** Size of every window before SETTINGS or WINDOW_UPDATE changed it (RFC 9113 §6.9.2). */
export const INITIAL_WINDOW = 65_535;
/** Less credit than this is not announced until there is more, unless it is half of the window. */
const LEAST_INCREMENT = 65_536;

/** Bytes that the peer allows us to send. Negative after a SETTINGS that shrank it (RFC 9113 §6.9.2). */
export class SendWindow {
  constructor(public available: number) {}

  spend(length: number): void {
    this.available -= length;
  }

  /**
   * Changes the window by a WINDOW_UPDATE or a new initial window. False: it would be above {@link MAX_WINDOW}, which
   * is a FLOW_CONTROL_ERROR.
   */
  change(by: number): boolean {
    const next = this.available + by;
    if (next > MAX_WINDOW) return false;
    this.available = next;
    return true;
  }
}

/** Bytes that we allow the peer to send. */
export class ReceiveWindow {
  /** Bytes the peer may still send. */
  available: number;
  /** Credit that may be announced and was not announced yet. */
  #unannounced = 0;

  constructor(public size: number) {
    this.available = size;
  }

  /** Enlarges the window. The peer gets the credit with the next {@link returnCredit}. */
  grow(by: number): void {
    this.size += by;
    this.#unannounced += by;
  }

  /** The peer sent `length` bytes. False: more than it was allowed. */
  take(length: number): boolean {
    if (length > this.available) return false;
    this.available -= length;
    return true;
  }

  /**
   * The peer may send `length` bytes again. Returns the increment to announce now, or 0 while it is not worth a frame.
   * `limit`: only so much of the window is used; credit for the rest of it is withheld.
   */
  returnCredit(length: number, limit = this.size): number {
    this.#unannounced += length;
    const increment = this.#unannounced - Math.max(0, this.size - limit);
    const worthwhile = Math.min(Math.max(this.available >>> 1, LEAST_INCREMENT), Math.min(limit, this.size) >>> 1);
    if (increment < worthwhile || increment <= 0) return 0;
    this.#unannounced -= increment;
    this.available += increment;
    return increment;
  }
}

/** A connection that holds no more bytes than this is not closed because of other connections of its peer. */
const ALWAYS_HELD = 65_536;
/** Returned by {@link ConnectionCredit.deliver}: the bytes cannot be held, the connection must end. */
export const BREACH = -1;

/**
 * The connection's receive window. Its credit is returned as bytes arrive, not when applications have read them: a
 * stream whose application does not read uses up its own window and no other's (`docs/spec/observed.md` O30). The
 * credit is withheld until applications read only while all streams of the connection together hold more than
 * `maxUnreleased` bytes, or the thread holds too many ({@link HeldBytes}).
 */
export class ConnectionCredit {
  readonly #maxUnreleased: number;
  readonly #held: HeldBytes;
  readonly window: ReceiveWindow;
  /** Bytes handed to streams and not released. */
  #unreleased = 0;
  /** Bytes whose credit is withheld. */
  #withheld = 0;

  readonly #holdings: PeerHoldings;

  /** `size`: of the window, in bytes. `peer`: the identity whose share of `held` the bytes count against. */
  constructor(size: number, maxUnreleased: number, held: HeldBytes, peer: string) {
    this.#maxUnreleased = maxUnreleased;
    this.#held = held;
    this.window = new ReceiveWindow(size);
    this.#holdings = held.open(peer);
  }

  /** Bytes that applications have not read yet, of all connections of the peer. */
  get heldByPeer(): number {
    return this.#holdings.held;
  }

  /** The connection receives nothing more. Must be called once. */
  close(): void {
    this.#held.close(this.#holdings);
  }

  /** The window of a stream has grown: the connection's window grows too, as far as its limit allows. */
  grow(by: number): void {
    this.window.grow(Math.max(0, Math.min(by, this.#maxUnreleased - this.window.size)));
  }

  /** Bytes were delivered to a stream. Returns the increment to announce, or 0, or {@link BREACH}. */
  deliver(length: number): number {
    this.#unreleased += length;
    const verdict = this.#held.add(this.#holdings, length);
    if (verdict === "breach" && this.#unreleased > ALWAYS_HELD) {
      this.#unreleased -= length;
      this.#held.remove(this.#holdings, length);
      return BREACH;
    }
    if (verdict === "credit" && this.#unreleased <= this.#maxUnreleased) return this.window.returnCredit(length);
    this.#withheld += length;
    return 0;
  }

  /** An application has read bytes, or they were dropped. Returns the increment to announce, or 0. */
  release(length: number): number {
    if (length === 0) return 0;
    this.#unreleased -= length;
    this.#held.remove(this.#holdings, length);
    if (this.#withheld === 0) return 0;
    const back = Math.min(this.#withheld, length);
    this.#withheld -= back;
    return this.window.returnCredit(back);
  }

  /** Bytes that were delivered to no stream: padding, DATA after a reset. Returns the increment to announce, or 0. */
  discard(length: number): number {
    return this.window.returnCredit(length);
  }
}
