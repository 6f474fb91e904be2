/**
 * Limits the bytes that wait ahead of the next frame of a connection whose network path is slow. New frames cannot
 * overtake the bytes in our output buffer and the unsent bytes in the kernel: on a path of 10 Mbit/s, a megabyte of
 * them delays every stream by a second. So once a write was taken only in part, both are limited by the path's rate.
 */
import type { Connection } from "../h2/seam.ts";
import type { Millis } from "../net/clock.ts";
import type { NetworkPath } from "../net/network_path.ts";

/** The output buffer may hold what the path delivers in this time or in half of its round trip, whichever is longer. */
const GATHERED: Millis = 20;
const LEAST_BYTES = 32_768;
/** A path that delivers this much in that time needs no limit. */
const MOST_BYTES = 1 << 20;
/** Time between two measurements; each is a system call. */
const PERIOD: Millis = 10;
/** Received bytes after which the round trip is measured: the first time, and later. */
const FIRST_RECEIVED = 131_072, LATER_RECEIVED = 4 << 20;

/** On a shorter round trip, TCP recovers from a loss before an application notices. */
const LONG_ROUND_TRIP: Millis = 2;

/** Paces one connection. */
export class Pacing {
  readonly #connection: Pick<Connection, "noteRoundTrip" | "limitGathered">;
  readonly #path: NetworkPath;
  readonly #onBulk: () => void;
  #measuredAt: Millis = -Infinity;
  /** Bytes that the output buffer may hold; null: no limit. */
  #limit: number | null = null;
  /** The limit of unsent bytes that was set in the kernel; null: it was never set. */
  #unsent: number | null = null;
  #untilMeasured = FIRST_RECEIVED;

  /**
   * `onBulk` is called now and then while much is received, or more is sent than the path takes at once, over a long
   * round trip.
   */
  constructor(
    connection: Pick<Connection, "noteRoundTrip" | "limitGathered">,
    path: NetworkPath,
    onBulk: () => void = () => {},
  ) {
    this.#connection = connection;
    this.#path = path;
    this.#onBulk = onBulk;
  }

  /** Called when bytes were received from the peer. */
  received(bytes: number): void {
    this.#untilMeasured -= bytes;
    if (this.#untilMeasured > 0) return;
    this.#untilMeasured = LATER_RECEIVED;
    const measure = this.#path.measure();
    if (measure !== null) this.#noteRoundTrip(measure.roundTrip);
  }

  /** Called after the output buffer was offered to the kernel. */
  flushed(state: "empty" | "blocked", now: Millis): void {
    if (state === "empty" && this.#limit === null) return;
    if (now - this.#measuredAt < PERIOD) return;
    this.#measuredAt = now;
    const measure = this.#path.measure();
    if (measure === null || measure.deliveryRate === 0) return;
    this.#noteRoundTrip(measure.roundTrip);
    const bytes = Math.max(LEAST_BYTES, Math.round(measure.deliveryRate * Math.max(GATHERED, measure.roundTrip / 2)));
    this.#limit = bytes < MOST_BYTES ? bytes : null;
    this.#connection.limitGathered(this.#limit);
    this.#limitUnsent(Math.min(bytes, MOST_BYTES));
  }

  #noteRoundTrip(roundTrip: Millis): void {
    this.#connection.noteRoundTrip(roundTrip);
    if (roundTrip >= LONG_ROUND_TRIP) this.#onBulk();
  }

  /** Sets the kernel's limit when it changes by a quarter. For a path that was never slow it stays unset. */
  #limitUnsent(bytes: number): void {
    const current = this.#unsent;
    if (current === null ? bytes >= MOST_BYTES : bytes < 1.25 * current && bytes > 0.75 * current) return;
    this.#unsent = bytes;
    this.#path.limitUnsent(bytes >= MOST_BYTES ? 0x7fffffff : bytes);
  }
}
