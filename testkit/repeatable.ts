/**
 * `fast-check` with an `assert` that tries the same inputs in every run, and more of them on demand:
 * `FUZZ_ROUNDS=50` multiplies the rounds of each property, `FUZZ_SEED=7` begins elsewhere. A failure names its seed.
 */
import { assert as assertOnce, type IRawProperty, type Parameters as Settings } from "fast-check/library";

export * from "fast-check/library";

const SEED = 20_261_125;
/** Of `fast-check`, where a test does not say. */
const ROUNDS = 100;

/** A test that names a seed of its own keeps it unless `FUZZ_SEED` is set. */
export const assert =
  ((property: IRawProperty<unknown, boolean>, settings: Settings<unknown> = {}) =>
    assertOnce(property, {
      seed: SEED,
      ...settings,
      numRuns: (settings.numRuns ?? ROUNDS) * (wholeNumber("FUZZ_ROUNDS") ?? 1),
      ...fromElsewhere(),
    })) as typeof assertOnce;

function fromElsewhere(): Settings<unknown> {
  const seed = wholeNumber("FUZZ_SEED");
  return seed === null ? {} : { seed };
}

function wholeNumber(name: string): number | null {
  const text = Deno.env.get(name);
  if (text === undefined || text === "") return null;
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new Error(`${name} must be a whole number above 0, not "${text}"`);
  return Number(text);
}
