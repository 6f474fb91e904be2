/**
 * How much one source may take in a turn. Bulk wants large portions; small requests beside it want short turns. So a
 * small read keeps everybody's portions small for a while (`docs/spec/dataplane-speed.md` 2.1: the p50 of small
 * requests beside a full-speed upload falls to a tenth).
 */
import type { Scheduler } from "../net/network.ts";

const SMALL_READ = 16_384;
const TURNS = 64;

export class Portions {
  readonly #scheduler: Scheduler;
  #smallReadAt = -TURNS;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** Say how many bytes a plain read brought. */
  note(bytes: number): void {
    if (bytes < SMALL_READ) this.#smallReadAt = this.#scheduler.turn;
  }

  get areSmall(): boolean {
    return this.#scheduler.turn - this.#smallReadAt < TURNS;
  }

  /** Bytes one plain read may bring. */
  get readSize(): number {
    return this.areSmall ? 131_072 : 262_144;
  }

  /** Bytes that frames of one connection may gather before they go to the kernel. */
  get gatherLimit(): number {
    return this.areSmall ? 140_000 : 1_048_576;
  }

  /** How often one connection may fill the input buffer in a turn. */
  get receivePasses(): number {
    return this.areSmall ? 1 : 8;
  }
}

/** Reads of one plain stream in a turn; then others have theirs. */
export const READS_PER_TURN = 4;
