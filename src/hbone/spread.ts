/**
 * Spreads the streams to one destination over several connections where one of them would slow the others down: on a
 * path with a long round trip, streams that share a connection share one congestion window, so small requests wait
 * behind bulk, and each lost packet stops all of them for a round trip and reduces the rate of all.
 *
 * ```
 *           bulk over a long round trip
 *   IDLE ───────────────────────────────▶ WATCHING ─┐ each second: which connections have bulk streams, what was lost
 *    ▲                                     │    ▲───┘
 *    └──────── no bulk in a second ────────┘
 * ```
 * While WATCHING, and for {@link MEMORY} after losses, a new stream gets the connection with the fewest bulk streams.
 * Connections are added in the background, so no stream waits for one that it would not have waited for otherwise:
 * - where every connection has bulk streams, one more for other streams;
 * - on a path with losses, one for each bulk stream too. They stay open for {@link MEMORY}, so that the next streams
 *   find them.
 *
 * Open streams stay where they are.
 */
import type { Millis, Timer } from "../net/clock.ts";
import type { SegmentCounts } from "../net/network_path.ts";
import type { Scheduler } from "../net/network.ts";
import type { ExtraConnections } from "./extra_connections.ts";
import { PathLoss } from "./path_loss.ts";

const PERIOD: Millis = 1000;
/** A stream that moves this many bytes in {@link PERIOD} is a bulk stream. Requests over 20 ms move 15 KB. */
const BULK_BYTES = 32_768;
/** Periods in succession with bulk streams before a connection is added. */
const BULK_PERIODS = 2;
/** How long a path counts as lossy after losses. */
const MEMORY: Millis = 300_000;
/** Connections with bulk streams that are made for one destination; one more is for other streams. */
const MOST_WITH_BULK = 8;
/** After a failed connection none is added for this time. */
const PAUSE_AFTER_FAILURE: Millis = 60_000;
/**
 * A bulk stream counts as much as this many streams that were opened since the last check, which may become bulk
 * streams.
 */
const BULK_WEIGHT = 8;

/** A connection of the destination. */
export interface SpreadConnection {
  /** Open streams. */
  readonly streamCount: number;
  /** The peer takes one more stream. */
  readonly canOpen: boolean;
  /** How many streams have moved `least` bytes since the last call, or wait for the connection. */
  countBusyStreams(least: number): number;
  /** Null: not known. */
  countSegments(): SegmentCounts | null;
}

/** What {@link Spread} needs of the pool. */
interface SpreadOwner<C> {
  /** Open connections of the destination. */
  readonly connections: readonly C[];
  /** Connections that are being made. */
  readonly connecting: ReadonlySet<C>;
  /** Makes one more connection: calls {@link Spread.added}, and {@link Spread.removed} when it has ended. */
  connect(): void;
}

/** What is known of one connection. */
interface Load {
  /** Bulk streams among {@link checked}. */
  bulk: number;
  /** Open streams at the last check, less those that have ended since. */
  checked: number;
  readonly loss: PathLoss;
}

/** The connections of one destination. Made at its first bulk over a long round trip. */
export class Spread<C extends SpreadConnection> {
  readonly #scheduler: Scheduler;
  readonly #extra: ExtraConnections;
  readonly #owner: SpreadOwner<C>;
  readonly #loads = new Map<C, Load>();
  /** Connections that were made only to spread streams. */
  readonly #added = new Set<C>();
  #timer: Timer | null = null;
  #bulkPeriods = 0;
  #lossyUntil: Millis = -Infinity;
  #pausedUntil: Millis = -Infinity;
  #isClosed = false;

  /** `extra`: the bound on connections of all destinations. */
  constructor(scheduler: Scheduler, extra: ExtraConnections, owner: SpreadOwner<C>) {
    this.#scheduler = scheduler;
    this.#extra = extra;
    this.#owner = owner;
  }

  /** The path has lost packets lately: unused connections are kept. */
  get isLossy(): boolean {
    return this.#scheduler.now() < this.#lossyUntil;
  }

  /** Bulk moves over a long round trip. */
  noteBulk(): void {
    if (this.#isClosed) return;
    this.#timer ??= this.#scheduler.after(PERIOD, () => {
      this.#timer = null;
      this.#check();
    });
  }

  /** The connection for a new stream, out of `candidates`, which take one; undefined: there are none. */
  choose(candidates: readonly C[]): C | undefined {
    if (this.#timer === null && !this.isLossy) return candidates[0];
    this.noteBulk();
    let best: C | undefined, least = Infinity;
    for (const candidate of candidates) {
      const weight = this.#weigh(candidate);
      if (weight >= least) continue;
      best = candidate;
      least = weight;
    }
    return best;
  }

  /** `connection`, made by {@link SpreadOwner.connect}, is being made. */
  added(connection: C): void {
    this.#added.add(connection);
  }

  /** `connection` has ended. Idempotent. */
  removed(connection: C): void {
    this.#loads.delete(connection);
    if (this.#added.delete(connection)) this.#extra.giveBack();
  }

  /** A connection could not be made: no other one is added for a while. */
  pause(): void {
    this.#pausedUntil = this.#scheduler.now() + PAUSE_AFTER_FAILURE;
  }

  /** All connections end, now or with their last streams: no others are added. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#timer = null;
    for (const connection of [...this.#added]) this.removed(connection);
  }

  #check(): void {
    const { connections } = this.#owner;
    let bulk = 0, free = 0, isLossy = false;
    for (const connection of connections) {
      const load = this.#loadOf(connection);
      load.bulk = connection.countBusyStreams(BULK_BYTES);
      load.checked = connection.streamCount;
      bulk += load.bulk;
      if (load.bulk > 0) isLossy = this.#loses(connection, load) || isLossy;
      else if (connection.canOpen) free++;
    }
    if (isLossy) this.#lossyUntil = this.#scheduler.now() + MEMORY;
    this.#bulkPeriods = bulk === 0 ? 0 : this.#bulkPeriods + 1;
    if (bulk > 0) this.noteBulk();
    if (this.#bulkPeriods >= BULK_PERIODS) this.#add(bulk, free);
  }

  #loses(connection: C, { loss }: Load): boolean {
    const counts = connection.countSegments();
    return counts !== null && loss.isLossy(counts);
  }

  /** Makes the connections that are missing: `bulk` streams are open, and `free` connections have none of them. */
  #add(bulk: number, free: number): void {
    const { connections, connecting } = this.#owner;
    const all = connections.length + connecting.size;
    const wanted = this.isLossy ? bulk + 1 : free + connecting.size > 0 ? all : all + 1;
    for (let missing = Math.min(wanted, MOST_WITH_BULK + 1) - all; missing > 0; missing--) {
      if (this.#isPaused || !this.#extra.take()) return;
      this.#owner.connect();
    }
  }

  get #isPaused(): boolean {
    return this.#scheduler.now() < this.#pausedUntil;
  }

  /** The load of a connection, counted in streams that were opened since the last check. */
  #weigh(connection: C): number {
    const load = this.#loadOf(connection);
    load.checked = Math.min(load.checked, connection.streamCount);
    load.bulk = Math.min(load.bulk, load.checked);
    return BULK_WEIGHT * load.bulk + connection.streamCount - load.checked;
  }

  #loadOf(connection: C): Load {
    let load = this.#loads.get(connection);
    if (load === undefined) this.#loads.set(connection, load = { bulk: 0, checked: 0, loss: new PathLoss() });
    return load;
  }
}
