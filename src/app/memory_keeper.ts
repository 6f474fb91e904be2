/** Returns memory that a start or a burst needed and the time after it does not. */
import { residentBytes, returnMemory } from "../os/memory.ts";

const PERIOD = 20_000;
/** Growth worth a millisecond of page faults. */
const WORTHWHILE = 8 << 20;

/** At once, then every 20 s where the process has grown since. */
export function keepMemorySmall(): { stop(): void } {
  returnMemory();
  let low = residentBytes();
  const timer = setInterval(() => {
    if (residentBytes() - low < WORTHWHILE) return;
    returnMemory();
    low = residentBytes();
  }, PERIOD);
  return { stop: () => clearInterval(timer) };
}
