/**
 * `deno task fuzz --seconds N [--decoder=NAME] [--seed=N]`: random changes of valid inputs for every decoder of input
 * from outside, one after the other, for N seconds in total. Exits with 1 where a decoder did not do what it promises.
 */
import { parseArgs } from "node:util";
import { DECODERS } from "./all_decoders.ts";
import { seedsOf } from "./corpus.ts";
import type { FuzzedDecoder } from "./decoder.ts";
import { describeFailure } from "./failure.ts";
import type { FuzzReport } from "./messages.ts";
import { mutated } from "./mutation.ts";

/** ms without a new input after which a decoder is reported as one that does not return. */
const STUCK = 20_000;

const { values } = parseArgs({
  args: Deno.args,
  options: { seconds: { type: "string", default: "60" }, decoder: { type: "string" }, seed: { type: "string" } },
});
const chosen = DECODERS.filter(({ name }) => values.decoder === undefined || name === values.decoder);
const seconds = Number(values.seconds), seed = Number(values.seed ?? Date.now() % 1_000_000_000);
if (chosen.length === 0) {
  fail(`there is no decoder "${values.decoder}": ${DECODERS.map(({ name }) => name).join(", ")}`);
}
if (!(seconds > 0)) fail(`--seconds must be a number above 0, not "${values.seconds}"`);
if (!Number.isInteger(seed)) fail(`--seed must be a whole number, not "${values.seed}"`);

console.log(`${chosen.length} decoders, ${seconds} s, seed ${seed}`);
let failures = 0;
for (const decoder of chosen) {
  const started = performance.now();
  const { inputs, slowest, failure } = await run(decoder, (seconds * 1000) / chosen.length);
  const rate = Math.round(inputs / ((performance.now() - started) / 1000));
  console.log(`${decoder.name.padEnd(18)} ${inputs} inputs, ${rate}/s, slowest ${slowest.toFixed(1)} ms`);
  if (failure === null) continue;
  failures++;
  const input = mutated(seedsOf(decoder), seed, failure.index);
  console.error(describeFailure(decoder.name, `seed ${seed} number ${failure.index}`, input, failure.why));
}
Deno.exit(failures === 0 ? 0 : 1);

function fail(text: string): never {
  console.error(`fuzz: ${text}`);
  Deno.exit(2);
}

async function run({ name }: FuzzedDecoder, millis: number): Promise<FuzzReport> {
  const progress = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(import.meta.resolve("./worker.ts"), { type: "module" });
  let last = -1;
  let watch: ReturnType<typeof setInterval> | undefined;
  const report = await new Promise<FuzzReport>((resolve) => {
    watch = setInterval(() => {
      const index = Atomics.load(progress, 0);
      if (index === last) {
        const why = `it has not returned for ${STUCK / 1000} s`;
        resolve({ inputs: index, slowest: STUCK, failure: { index, why } });
      }
      last = index;
    }, STUCK);
    worker.onmessage = ({ data }: MessageEvent<FuzzReport>) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      const index = Atomics.load(progress, 0);
      resolve({ inputs: index, slowest: 0, failure: { index, why: `the thread has ended: ${event.message}` } });
    };
    worker.postMessage({ name, seed, millis, progress });
  });
  clearInterval(watch);
  worker.terminate();
  return report;
}
