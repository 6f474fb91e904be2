/** Returns memory to the system that only a start or a burst needed. */
import { residentBytes, returnMemory } from "../os/memory.ts";

/** ms between two checks. */
const PERIOD = 20_000;
/** Growth, in bytes, whose release is worth a millisecond of page faults. */
const WORTHWHILE = 8 << 20;
/** Checks between two attempts without growth, at first and at most: an hour has six of the longest. */
const FIRST_PAUSE = 3, LONGEST_PAUSE = 30;

/**
 * Decides when free memory is returned to the system: when the process has grown since the last time, and from time to
 * time while it is larger than its smallest size. Memory of a burst may become free minutes after the burst.
 */
export class MemoryKeeper {
  /** The smallest size seen so far. */
  #floor: number;
  /** The size after the last release. */
  #low: number;
  #pause = FIRST_PAUSE;
  #looks = 0;

  /** `resident`: the resident size of the process now, in bytes. */
  constructor(resident: number) {
    this.#floor = this.#low = resident;
  }

  /** Whether memory should be released now. */
  shouldRelease(resident: number): boolean {
    if (resident - this.#low >= WORTHWHILE) {
      this.#pause = FIRST_PAUSE;
      return true;
    }
    if (resident - this.#floor < WORTHWHILE || ++this.#looks < this.#pause) return false;
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
    return true;
  }

  /** Memory was released, and this size is left. */
  released(resident: number): void {
    this.#looks = 0;
    this.#low = resident;
    this.#floor = Math.min(this.#floor, resident);
  }
}

/** Starts at once, then checks every 20 s. */
export function keepMemorySmall(): { stop(): void } {
  returnMemory();
  const keeper = new MemoryKeeper(residentBytes());
  const timer = setInterval(() => {
    if (!keeper.shouldRelease(residentBytes())) return;
    returnMemory();
    keeper.released(residentBytes());
  }, PERIOD);
  return { stop: () => clearInterval(timer) };
}
