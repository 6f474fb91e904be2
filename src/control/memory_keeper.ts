/** Returns memory to the system that only a start or a burst needed. */
import { residentBytes, returnHeap, returnMemory } from "../os/memory.ts";

/**
 * ms between two checks. Under a limit of memory, a burst of connections must not be killed for pages that the
 * compilers of the engine have freed: 10 to 20 MB after the first thousand connections.
 */
const PERIOD = 1000;
/** One check in so many is a full one. */
const FULL_EVERY = 20;
/** Growth, in bytes, whose release is worth a millisecond of page faults. */
const WORTHWHILE = 8 << 20;
/** Full checks between two attempts without growth, at first and at most: an hour has six of the longest. */
const FIRST_PAUSE = 3, LONGEST_PAUSE = 30;

/** The empty pages of the heap, or the pages of the program's text as well, which running code needs again. */
type Release = "heap" | "heap and text";

/**
 * Decides when free memory is returned to the system. The heap: when the process has grown since the last time. Heap and
 * text: in a full check after growth, and from time to time while the process is larger than its smallest size, since
 * memory of a burst may become free minutes after the burst.
 */
export class MemoryKeeper {
  /** The smallest size seen so far. */
  #floor: number;
  /** The size after the last release of all, and of any kind. */
  #low: number;
  #heapLow: number;
  #pause = FIRST_PAUSE;
  #checks = 0;
  #waited = 0;

  /** `resident`: the resident size of the process now, in bytes. */
  constructor(resident: number) {
    this.#floor = this.#low = this.#heapLow = resident;
  }

  /** What should be released now; null: nothing. */
  check(resident: number): Release | null {
    if (++this.#checks % FULL_EVERY === 0 && this.#shouldReleaseAll(resident)) return "heap and text";
    return resident - this.#heapLow >= WORTHWHILE ? "heap" : null;
  }

  #shouldReleaseAll(resident: number): boolean {
    if (resident - this.#low >= WORTHWHILE) {
      this.#pause = FIRST_PAUSE;
      return true;
    }
    if (resident - this.#floor < WORTHWHILE || ++this.#waited < this.#pause) return false;
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
    return true;
  }

  /** Memory was released, and this size is left. */
  released(release: Release, resident: number): void {
    this.#heapLow = resident;
    if (release === "heap") return;
    this.#waited = 0;
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
    if (release === null) return;
    if (release === "heap") returnHeap();
    else returnMemory();
    keeper.released(release, residentBytes());
  }, PERIOD);
  return { stop: () => clearInterval(timer) };
}
