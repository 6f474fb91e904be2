import { strict as assert } from "node:assert";
import fc from "fast-check";

function inputs(settings?: { seed?: number; numRuns?: number }): number[] {
  const seen: number[] = [];
  fc.assert(fc.property(fc.nat(), (n) => void seen.push(n)), settings);
  return seen;
}

/** Runs with variables set, and puts back what they were. */
function withEnvironment(variables: Record<string, string>, run: () => void): void {
  const before = Object.keys(variables).map((name) => [name, Deno.env.get(name)] as const);
  for (const [name, value] of Object.entries(variables)) Deno.env.set(name, value);
  try {
    run();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
  }
}

Deno.test("random tests see the same inputs in every run", () =>
  withEnvironment({ FUZZ_ROUNDS: "", FUZZ_SEED: "" }, () => {
    assert.deepEqual(inputs(), inputs());
    assert.equal(inputs().length, 100);
    assert.equal(inputs({ numRuns: 7 }).length, 7);
    assert.notDeepEqual(inputs(), inputs({ seed: 1 }));
  }));

Deno.test("FUZZ_ROUNDS makes more of them, FUZZ_SEED others", () => {
  withEnvironment({ FUZZ_ROUNDS: "3", FUZZ_SEED: "" }, () => assert.equal(inputs({ numRuns: 7 }).length, 21));
  const usual = inputs();
  withEnvironment({ FUZZ_ROUNDS: "1", FUZZ_SEED: "5" }, () => {
    assert.notDeepEqual(inputs(), usual);
    assert.deepEqual(inputs({ seed: 1 }), inputs());
  });
  withEnvironment(
    { FUZZ_ROUNDS: "many", FUZZ_SEED: "" },
    () => assert.throws(() => inputs(), /FUZZ_ROUNDS must be a whole number/),
  );
});
