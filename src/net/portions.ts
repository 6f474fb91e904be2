/**
 * How many bytes one source may move in a turn. Bulk needs large portions; small requests beside it need short turns
 * and short queues. So a small read makes all portions small for a while (`docs/spec/dataplane-speed.md` 2.1: the p50
 * of small requests beside a full-speed upload falls to a tenth).
 */
import type { Millis } from "./clock.ts";
import type { Scheduler } from "./network.ts";

const SMALL_READ = 16_384;
/**
 * Longer than the time between two slow requests; otherwise portions would grow between them, and slow them down more.
 */
const SMALL_PERIOD: Millis = 200;

/** The portions of one event loop. Small ones are three offload units: fewer would cost the bulk a sixth of its rate. */
export class Portions {
  readonly #scheduler: Scheduler;
  #smallReadAt: Millis = -Infinity;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** Call it with the number of bytes of each plain read. */
  note(bytes: number): void {
    if (bytes < SMALL_READ) this.#smallReadAt = this.#scheduler.now();
  }

  /** A small read was noted lately. */
  get areSmall(): boolean {
    return this.#scheduler.now() - this.#smallReadAt < SMALL_PERIOD;
  }

  /** Bytes that one plain read may take. */
  get readSize(): number {
    return this.areSmall ? 196_608 : 262_144;
  }

  /** Bytes of frames that one connection may gather before they are written. */
  get gatherLimit(): number {
    return this.areSmall ? 205_000 : 1_048_576;
  }

  /**
   * Bytes that a stream of a peer may have in flight; null: its whole window, which is 5 ms of bulk ahead of every
   * small request. The connection's window is not limited: small requests would wait for it.
   */
  get inFlight(): number | null {
    return this.areSmall ? 786_432 : null;
  }

  /** How often one connection may fill the input buffer in a turn. */
  get receivePasses(): number {
    return this.areSmall ? 1 : 8;
  }
}

/** Number of reads of one plain stream in a turn; then other streams are read. */
export const READS_PER_TURN = 4;
