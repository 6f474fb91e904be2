/**
 * How much one source may take in a turn. Bulk wants large portions; small requests beside it want short turns and short
 * queues. So a small read keeps everybody's portions small for a while (`docs/spec/dataplane-speed.md` 2.1: the p50 of
 * small requests beside a full-speed upload falls to a tenth).
 */
import type { Millis } from "./clock.ts";
import type { Scheduler } from "./network.ts";

const SMALL_READ = 16_384;
/** Longer than slow requests are apart, or their own slowness would end what makes them fast. */
const HOLD: Millis = 200;

export class Portions {
  readonly #scheduler: Scheduler;
  #smallReadAt: Millis = -Infinity;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** Say how many bytes a plain read brought. */
  note(bytes: number): void {
    if (bytes < SMALL_READ) this.#smallReadAt = this.#scheduler.now();
  }

  get areSmall(): boolean {
    return this.#scheduler.now() - this.#smallReadAt < HOLD;
  }

  /** Bytes one plain read may bring. */
  get readSize(): number {
    return this.areSmall ? 131_072 : 262_144;
  }

  /** Bytes that frames of one connection may gather before they go to the kernel. */
  get gatherLimit(): number {
    return this.areSmall ? 140_000 : 1_048_576;
  }

  /**
   * Bytes that a stream of a peer may have under way, null: its whole window, which is 5 ms of bulk ahead of every small
   * request. Not less of the connection's window: small requests would queue for that.
   */
  get inFlight(): number | null {
    return this.areSmall ? 524_288 : null;
  }

  /** How often one connection may fill the input buffer in a turn. */
  get receivePasses(): number {
    return this.areSmall ? 1 : 8;
  }
}

/** Reads of one plain stream in a turn; then others have theirs. */
export const READS_PER_TURN = 4;
