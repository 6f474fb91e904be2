/**
 * The half-closed connections of a data plane: one side of each has sent its end, and the other side may send for as
 * long as the application wants. Those that move no byte for `HALF_CLOSED_TIMEOUT` are closed: their peer has probably
 * forgotten them, and each holds descriptors for good.
 *
 *     none ──first one──▶ waiting ──a quarter of the timeout──▶ checking, a portion in each turn
 *      ▲                   │   ▲                                   │         │
 *      └─────last one──────┘   └────────────some are left──────────┘         │
 *      └───────────────────────────────none is left──────────────────────────┘
 *
 * Progress is noticed when connections are checked. So a connection is closed at the earliest when the timeout has passed
 * after its last byte, and at the latest half a timeout later.
 */
import type { Millis, Timer } from "../net/clock.ts";
import { PORTION } from "../net/in_portions.ts";
import type { Loop } from "../net/loop.ts";
import type { Scheduler, TurnTask } from "../net/network.ts";
import type { Rounds } from "../net/rounds.ts";
import { NumberMap } from "../net/number_map.ts";
import type { Log, LogScope } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { EVALUATED_PER_TURN } from "./reassessing.ts";

/** A connection of which one side has sent its end. */
export interface HalfClosedConnection {
  /** Its number in {@link HalfClosedConnections}, which alone sets it; 0: it is not half-closed. */
  halfClosed: number;
  /** Bytes written so far, both ways. */
  readonly bytesCopied: number;
  /** Resets both sides. `message`: the error for the log. */
  expire(message: string): void;
}

/** The metrics of one direction. */
interface Counts {
  /** How many are half-closed now. */
  readonly open: { value: number };
  /** How many were closed as they moved no bytes. */
  readonly expired: { value: number };
}

type Direction = "outbound" | "inbound";

/** What is kept of a half-closed connection. */
interface Progress {
  readonly connection: HalfClosedConnection;
  /** {@link HalfClosedConnection.bytesCopied} when it was checked last. */
  bytes: number;
  /** When that number had changed. */
  since: Millis;
  readonly counts: Counts;
}

/** One for each data plane. */
export class HalfClosedConnections implements TurnTask {
  readonly #scheduler: Pick<Scheduler, "now" | "after">;
  readonly #rounds: Rounds;
  readonly #timeout: Millis;
  readonly #log: LogScope;
  readonly #counts: Readonly<Record<Direction, Counts>>;
  /** By number. Most connections are half-closed for a moment, so a `Map` would keep many of them alive. */
  readonly #connections = new NumberMap<Progress>();
  #lastNumber = 0;
  #timer: Timer | null = null;
  /** The connections that are left to check; null: no check is in progress. */
  #checking: Progress[] | null = null;
  /** How many the check in progress has closed. */
  #expired = 0;

  /** `timeout`: 0 closes none. */
  constructor({ network, rounds }: Pick<Loop, "network" | "rounds">, timeout: Millis, log: Log, metrics: Metrics) {
    this.#scheduler = network;
    this.#rounds = rounds;
    this.#timeout = timeout;
    this.#log = log.scope("ztunnel::proxy");
    this.#counts = { outbound: countsOf(metrics, "source"), inbound: countsOf(metrics, "destination") };
  }

  /** A connection is half-closed from now on. Called once for each, before {@link remove}. */
  add(connection: HalfClosedConnection, direction: Direction): void {
    const counts = this.#counts[direction];
    counts.open.value++;
    do this.#lastNumber = (this.#lastNumber % 0x7fffffff) + 1; while (this.#connections.has(this.#lastNumber));
    connection.halfClosed = this.#lastNumber;
    const progress = { connection, bytes: connection.bytesCopied, since: this.#scheduler.now(), counts };
    this.#connections.set(connection.halfClosed, progress);
    if (this.#timer === null && this.#checking === null) this.#wait();
  }

  /** A connection has ended. No effect where it was not half-closed. */
  remove(connection: HalfClosedConnection): void {
    if (connection.halfClosed === 0) return;
    this.#connections.get(connection.halfClosed)!.counts.open.value--;
    this.#connections.delete(connection.halfClosed);
    connection.halfClosed = 0;
    if (this.#connections.size > 0) return;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #wait(): void {
    if (this.#timeout > 0) this.#timer = this.#scheduler.after(this.#timeout / 4, () => this.#check());
  }

  #check(): void {
    this.#timer = null;
    this.#checking = this.#connections.values().reverse();
    this.#expired = 0;
    this.#rounds.take(this);
  }

  runTurn(): void {
    if (this.#checking === null) return;
    // Queued before the work, so that an exception skips only the rest of its portion.
    this.#rounds.add(this);
    for (let checks = EVALUATED_PER_TURN, closings = PORTION; checks > 0 && closings > 0; checks--) {
      const next = this.#checking.pop();
      if (next === undefined) return this.#checked();
      if (!this.#progresses(next)) closings--;
    }
  }

  /** False: the connection was closed. */
  #progresses(progress: Progress): boolean {
    const { connection } = progress;
    // It may have ended since the check began.
    if (connection.halfClosed === 0) return true;
    const now = this.#scheduler.now();
    if (connection.bytesCopied !== progress.bytes) {
      progress.bytes = connection.bytesCopied;
      progress.since = now;
      return true;
    }
    if (now - progress.since < this.#timeout) return true;
    this.#expired++;
    progress.counts.expired.value++;
    connection.expire(`half-closed and no bytes moved for ${this.#timeout / 1000}s (HALF_CLOSED_TIMEOUT)`);
    return false;
  }

  #checked(): void {
    this.#checking = null;
    if (this.#expired > 0) {
      this.#log.warn("closed half-closed connections that moved no bytes", {
        connections: this.#expired,
        HALF_CLOSED_TIMEOUT: `${this.#timeout / 1000}s`,
      });
    }
    if (this.#connections.size > 0) this.#wait();
  }
}

function countsOf(metrics: Metrics, reporter: "source" | "destination"): Counts {
  return {
    open: metrics.cell("istio_tcp_connections_half_closed", reporter),
    expired: metrics.cell("istio_tcp_half_closed_timeouts", reporter),
  };
}
