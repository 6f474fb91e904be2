/** Runs one decoder in a thread of its own, so that a decoder that does not return can be reported and ended. */
import { DECODERS } from "./all_decoders.ts";
import { seedsOf } from "./corpus.ts";
import { MAX_MILLIS } from "./decoder.ts";
import { failureOf } from "./failure.ts";
import type { FuzzOrder, FuzzReport } from "./messages.ts";
import { mutated } from "./mutation.ts";

/** An input that takes too long is timed again, as another process may have had the processor meanwhile. */
const TIMINGS = 5;
/** Bytes by which the heap may have grown after all inputs and a collection. */
const MAX_GROWTH = 64 << 20;

declare const self: { onmessage: (event: { data: FuzzOrder }) => void; postMessage(report: FuzzReport): void };

self.onmessage = ({ data: { name, seed, millis, inputs, progress } }) => {
  const decoder = DECODERS.find((each) => each.name === name)!;
  const seeds = seedsOf(decoder);
  const limit = decoder.maxMillis ?? MAX_MILLIS;
  // Most inputs are refused by an error, whose stack would cost more than the decoder.
  Error.stackTraceLimit = 0;
  const before = heapBytes();
  const until = performance.now() + millis;
  let index = 0, slowest = 0, start = performance.now();
  let failure: FuzzReport["failure"] = null;
  for (; start < until && index < inputs && failure === null; index++) {
    Atomics.store(progress, 0, index);
    const input = mutated(seeds, seed, index, decoder.longest);
    let why = failureOf(decoder, input);
    let end = performance.now(), took = end - start;
    for (let i = 0; why === null && took > limit && i < TIMINGS; i++) {
      const again = mutated(seeds, seed, index, decoder.longest);
      start = performance.now();
      why = failureOf(decoder, again);
      end = performance.now();
      took = Math.min(took, end - start);
    }
    if (why === null && took > limit) why = `it took ${took.toFixed(0)} ms, more than ${limit} ms`;
    if (why !== null) failure = { index, why };
    slowest = Math.max(slowest, took);
    start = end;
  }
  const grown = heapBytes() - before;
  if (failure === null && grown > MAX_GROWTH) {
    failure = { index: index - 1, why: `after this input the heap has grown by ${grown >> 20} MB since the first` };
  }
  self.postMessage({ count: index, slowest, failure });
};

/** `--expose-gc` makes the figure exact; without it, it has the garbage too. */
function heapBytes(): number {
  (globalThis as { gc?: () => void }).gc?.();
  return Deno.memoryUsage().heapUsed;
}
