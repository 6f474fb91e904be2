/** A peer that takes random steps, some of which break the rules, and a model of what must follow. */
import fc from "fast-check";
import type { H2Options } from "./seam.ts";
import type { Step } from "./testkit/model.ts";
import { Walk } from "./testkit/walk.ts";

/** Steps that end a connection are rare, so that walks get long. */
const OPS = [
  ...["open", "open", "open", "answer", "answer", "write", "write", "end", "cancel", "release", "tick", "drain"],
  ...["data", "data", "data", "data", "too much data", "window", "window", "peer resets", "trailers"],
  ...["response", "response", "response", "connection window", "settings", "noise", "peer leaves", "breach"],
];
const step: fc.Arbitrary<Step> = fc.record({ op: fc.constantFrom(...OPS), who: fc.nat(20), n: fc.nat(60_000) });
/** Without the usual preference for short ones: many errors need a long history. */
const walks = fc.array(step, { minLength: 1, maxLength: 150, size: "max" });
const options: fc.Arbitrary<Partial<H2Options>> = fc.record({
  streamWindow: fc.constantFrom(3000, 20_000, 65_535, 200_000),
  connectionWindow: fc.constantFrom(65_535, 100_000, 1 << 20),
  maxUnreleased: fc.constantFrom(1000, 50_000, 64 << 20),
  workPerPass: fc.constantFrom(1, 100, 600),
});

for (const role of ["server", "client"] as const) {
  Deno.test(`${role}: what a peer may do is accepted, what it must not do causes the right error`, () => {
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
