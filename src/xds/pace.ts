/** Long work in short turns. */
import { setImmediate } from "node:timers";

/** ms of a turn: probes, certificates and other calls of the main isolate wait no longer than that. */
const SLICE = 10;
/** Steps are short; looking at the clock costs as much as some of them. */
const STEPS_BETWEEN_LOOKS = 16;

/** Runs a generator to its end, letting the loop run in between. */
export async function paced<R>(work: Generator<unknown, R>): Promise<R> {
  for (let until = performance.now() + SLICE, steps = 1;; steps++) {
    const step = work.next();
    if (step.done) return step.value;
    if (steps % STEPS_BETWEEN_LOOKS !== 0 || performance.now() < until) continue;
    await new Promise<void>((resume) => setImmediate(resume));
    until = performance.now() + SLICE;
  }
}
