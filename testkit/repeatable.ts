/**
 * `fast-check` with an `assert` that uses the same inputs in every run. `FUZZ_ROUNDS=50` multiplies the number of runs of
 * each property, `FUZZ_SEED=7` uses other inputs. The message of a failure contains its seed.
 */
import { assert as assertOnce, type IRawProperty, type Parameters as Settings } from "fast-check/library";

export * from "fast-check/library";

const SEED = 20_261_125;
/** The default of `fast-check`. */
const ROUNDS = 100;

/** `assert` of `fast-check`. A seed in `settings` is used unless `FUZZ_SEED` is set. */
export const assert =
  ((property: IRawProperty<unknown, boolean>, settings: Settings<unknown> = {}) =>
    assertOnce(property, {
      seed: SEED,
      ...settings,
      numRuns: (settings.numRuns ?? ROUNDS) * (wholeNumber("FUZZ_ROUNDS") ?? 1),
      ...seedFromEnvironment(),
    })) as typeof assertOnce;

function seedFromEnvironment(): Settings<unknown> {
  const seed = wholeNumber("FUZZ_SEED");
  return seed === null ? {} : { seed };
}

function wholeNumber(name: string): number | null {
  const text = Deno.env.get(name);
  if (text === undefined || text === "") return null;
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new Error(`${name} must be a whole number above 0, not "${text}"`);
  return Number(text);
}
