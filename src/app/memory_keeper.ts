/** Returns memory that a start or a burst needed and the time after it does not. */
import { residentBytes, returnMemory } from "../os/memory.ts";

/** ms between two looks. */
const PERIOD = 20_000;
/** Growth worth a millisecond of page faults, in bytes. */
const WORTHWHILE = 8 << 20;
/** Looks between two attempts without growth, first and at most: an hour has six of them. */
const FIRST_PAUSE = 3, LONGEST_PAUSE = 30;

/**
 * When memory is given back: where the process has grown since the last time, and now and then while it is larger than
 * it once was. What a burst has left behind may be freed minutes after it.
 */
export class MemoryKeeper {
  /** The smallest that was seen. */
  #floor: number;
  /** After the last time. */
  #low: number;
  #pause = FIRST_PAUSE;
  #looks = 0;

  /** `resident`: bytes of the process now. */
  constructor(resident: number) {
    this.#floor = this.#low = resident;
  }

  /** Whether memory is to be given back now. */
  look(resident: number): boolean {
    if (resident - this.#low >= WORTHWHILE) {
      this.#pause = FIRST_PAUSE;
      return true;
    }
    if (resident - this.#floor < WORTHWHILE || ++this.#looks < this.#pause) return false;
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
    return true;
  }

  /** It was given back, and so much is left. */
  gaveBack(resident: number): void {
    this.#looks = 0;
    this.#low = resident;
    this.#floor = Math.min(this.#floor, resident);
  }
}

/** At once, then by a look every 20 s. */
export function keepMemorySmall(): { stop(): void } {
  returnMemory();
  const keeper = new MemoryKeeper(residentBytes());
  const timer = setInterval(() => {
    if (!keeper.look(residentBytes())) return;
    returnMemory();
    keeper.gaveBack(residentBytes());
  }, PERIOD);
  return { stop: () => clearInterval(timer) };
}
