/**
 * `deno task fuzz [--seconds N | --inputs N] [--decoder=NAME] [--seed=N]`: random changes of valid inputs for every
 * decoder of input from outside, one after the other, for N seconds in total (60 unless told) or N inputs each. Exits
 * with 1 where a decoder did not do what it promises.
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
  options: {
    seconds: { type: "string" },
    inputs: { type: "string" },
    decoder: { type: "string" },
    seed: { type: "string" },
  },
});
const chosen = DECODERS.filter(({ name }) => values.decoder === undefined || name === values.decoder);
const seed = Number(values.seed ?? Date.now() % 1_000_000_000);
const inputs = values.inputs === undefined ? Infinity : Number(values.inputs);
const seconds = Number(values.seconds ?? (inputs === Infinity ? 60 : Infinity));
if (chosen.length === 0) {
  fail(`there is no decoder "${values.decoder}": ${DECODERS.map(({ name }) => name).join(", ")}`);
}
if (!(seconds > 0)) fail(`--seconds must be a number above 0, not "${values.seconds}"`);
if (!(inputs > 0)) fail(`--inputs must be a number above 0, not "${values.inputs}"`);
if (inputs !== Infinity && seconds !== Infinity) fail("--seconds and --inputs exclude each other");
if (!Number.isInteger(seed)) fail(`--seed must be a whole number, not "${values.seed}"`);

const extent = inputs === Infinity ? `${seconds} s` : `${inputs} inputs each`;
console.log(`${chosen.length} decoders, ${extent}, seed ${seed}`);
let failures = 0;
for (const decoder of chosen) {
  const started = performance.now();
  const { count, slowest, failure } = await run(decoder, (seconds * 1000) / chosen.length);
  const rate = Math.round(count / ((performance.now() - started) / 1000));
  console.log(`${decoder.name.padEnd(18)} ${count} inputs, ${rate}/s, slowest ${slowest.toFixed(1)} ms`);
  if (failure === null) continue;
  failures++;
  const input = mutated(seedsOf(decoder), seed, failure.index, decoder.longest);
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
        resolve({ count: index, slowest: STUCK, failure: { index, why } });
      }
      last = index;
    }, STUCK);
    worker.onmessage = ({ data }: MessageEvent<FuzzReport>) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      const index = Atomics.load(progress, 0);
      resolve({ count: index, slowest: 0, failure: { index, why: `the thread has ended: ${event.message}` } });
    };
    worker.postMessage({ name, seed, millis, inputs, progress });
  });
  clearInterval(watch);
  worker.terminate();
  return report;
}
