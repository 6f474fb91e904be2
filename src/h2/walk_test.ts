/** Random walks of a peer that keeps the rules, breaks them now and then, and knows what has to follow. */
import fc from "fast-check";
import type { H2Options } from "./seam.ts";
import type { Step } from "./testkit/model.ts";
import { Walk } from "./testkit/walk.ts";

/** Those that end a connection are rare, so that walks get long. */
const OPS = [
  ...["open", "open", "open", "answer", "answer", "write", "write", "end", "cancel", "release", "tick", "drain"],
  ...["data", "data", "data", "data", "too much data", "window", "window", "peer resets", "trailers"],
  ...["response", "response", "response", "connection window", "settings", "noise", "peer leaves", "breach"],
];
const step: fc.Arbitrary<Step> = fc.record({ op: fc.constantFrom(...OPS), who: fc.nat(20), n: fc.nat(60_000) });
/** Not biased towards short ones: a connection needs a past. */
const walks = fc.array(step, { minLength: 1, maxLength: 150, size: "max" });
const options: fc.Arbitrary<Partial<H2Options>> = fc.record({
  streamWindow: fc.constantFrom(3000, 20_000, 65_535, 200_000),
  connectionWindow: fc.constantFrom(65_535, 100_000, 1 << 20),
  maxUnreleased: fc.constantFrom(1000, 50_000, 64 << 20),
  workPerPass: fc.constantFrom(1, 100, 600),
});

for (const role of ["server", "client"] as const) {
  Deno.test(`${role}: what a peer may do is taken, what it must not do has the right consequence`, () => {
    fc.assert(
      fc.property(
        walks,
        options,
        fc.integer({ min: 1, max: 40 }),
        (steps, limits, cut) => {
          const walk = new Walk(role, limits, cut * cut * cut);
          for (const step of steps) {
            if (walk.ended) break;
            walk.take(step);
          }
          walk.finish();
        },
      ),
      { numRuns: 200 },
    );
  });
}
