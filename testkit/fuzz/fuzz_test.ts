/** Every decoder with its corpus and some changes of it; `deno task fuzz` makes many more. */
import { strict as assert } from "node:assert";
import { DECODERS } from "./all_decoders.ts";
import { corpusNames, corpusOf, seedsOf } from "./corpus.ts";
import { type FuzzedDecoder, holds } from "./decoder.ts";
import { describeFailure, failureOf } from "./failure.ts";
import { mutated } from "./mutation.ts";

const SEED = 20_261_130, MUTATIONS = 300;

for (const decoder of DECODERS) {
  Deno.test(`fuzz: ${decoder.name} takes its corpus and ${MUTATIONS} changes of it`, () => {
    for (const { file, bytes } of corpusOf(decoder.name)) check(decoder, file, bytes);
    const seeds = seedsOf(decoder);
    for (let i = 0; i < MUTATIONS; i++) {
      check(decoder, `seed ${SEED} number ${i}`, mutated(seeds, SEED, i, decoder.longest));
    }
  });
}

function check(decoder: FuzzedDecoder, origin: string, input: Uint8Array): void {
  // The decoder may change its input.
  const why = failureOf(decoder, input.slice());
  if (why !== null) assert.fail(describeFailure(decoder.name, origin, input, why));
}

Deno.test("fuzz: each decoder has a name of its own and its corpus, and no folder is left over", () => {
  assert.deepEqual(DECODERS.map(({ name }) => name).sort(), corpusNames());
  for (const { name } of DECODERS) assert.ok(corpusOf(name).length > 0, name);
});

Deno.test("fuzz: the same seed and number make the same input, others make others", () => {
  const seeds = [new TextEncoder().encode("the quick brown fox"), Uint8Array.of(0, 0, 4, 1)];
  const some = (seed: number) => Array.from({ length: 200 }, (_, i) => mutated(seeds, seed, i).toHex());
  assert.deepEqual(some(1), some(1));
  assert.ok(new Set([...some(1), ...some(2)]).size > 300);
  assert.equal(seeds[1]!.toHex(), "00000401");
  for (let i = 0; i < 200; i++) mutated([], 1, i);
});

Deno.test("fuzz: a broken decoder is found, and the message has what is needed to repeat it", () => {
  const run = (input: Uint8Array) => holds(input[0] !== 7, "no 7 at the beginning");
  const input = Uint8Array.of(7, 255);
  const why = failureOf({ name: "x", run }, input);
  assert.match(why ?? "", /does not hold: no 7 at the beginning/);
  assert.equal(failureOf({ name: "x", run }, Uint8Array.of(8)), null);
  const text = describeFailure("x", "seed 1 number 2", input, "why");
  assert.match(text, /^decoder x, seed 1 number 2, 2 bytes: why\ninput: 07ff\n.*testkit\/fuzz\/corpus\/x\//);
});
