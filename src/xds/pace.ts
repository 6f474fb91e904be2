/** Splits long work into short turns of the event loop. */
import { setImmediate } from "node:timers";

/** ms per turn, and so the delay of probes, certificates and other work of the main isolate. */
const SLICE = 10;
/** How many steps run between checks of the clock, as a check takes as long as a short step. */
const STEPS_PER_CHECK = 16;

/** Runs a generator to its end with turns of the loop in between; returns its result. Rejects with what it throws. */
export async function paced<R>(work: Generator<unknown, R>): Promise<R> {
  for (let until = performance.now() + SLICE, steps = 1;; steps++) {
    const step = work.next();
    if (step.done) return step.value;
    if (steps % STEPS_PER_CHECK !== 0 || performance.now() < until) continue;
    await new Promise<void>((resume) => setImmediate(resume));
    until = performance.now() + SLICE;
  }
}
