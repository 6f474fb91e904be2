/** Returns memory to the system that only a start or a burst needed. */
import { residentBytes, returnHeap, returnMemory } from "../os/memory.ts";

/**
 * ms between two checks. Under a limit of memory, a burst of connections must not be killed for pages that the
 * compilers of the engine have freed: 10 to 20 MB after the first thousand connections.
 */
const PERIOD = 1000;
/** Growth, in bytes, whose release is worth a millisecond of page faults. */
const WORTHWHILE = 8 << 20;
/** Checks between two attempts without growth, at first and at most: an hour has six of the longest. */
const FIRST_PAUSE = 60, LONGEST_PAUSE = 600;

/**
 * What is returned to the system: the empty pages of the heap, or the pages of the program's text as well, which running
 * code needs again.
 */
type Release = "nothing" | "heap" | "heap and text";

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
  #checks = 0;

  /** `resident`: the resident size of the process now, in bytes. */
  constructor(resident: number) {
    this.#floor = this.#low = resident;
  }

  /** What should be released now. */
  check(resident: number): Release {
    if (resident - this.#low >= WORTHWHILE) {
      this.#pause = FIRST_PAUSE;
      return "heap";
    }
    if (resident - this.#floor < WORTHWHILE || ++this.#checks < this.#pause) return "nothing";
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
    return "heap and text";
  }

  /** Memory was released, and this size is left. */
  released(resident: number): void {
    this.#checks = 0;
    this.#low = resident;
    this.#floor = Math.min(this.#floor, resident);
  }
}

/** Starts at once, then checks every second. */
export function keepMemorySmall(): { stop(): void } {
  returnMemory();
  const keeper = new MemoryKeeper(residentBytes());
  const timer = setInterval(() => {
    const release = keeper.check(residentBytes());
    if (release === "nothing") return;
    if (release === "heap") returnHeap();
    else returnMemory();
    keeper.released(residentBytes());
  }, PERIOD);
  return { stop: () => clearInterval(timer) };
}
