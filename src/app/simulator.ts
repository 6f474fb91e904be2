/** Simulations by all workers: each has its own connections, and the first one compares pairs. */
import type { Simulate } from "../admin/simulate_route.ts";
import type { Workers } from "../control/workers/workers.ts";
import { mergeResults } from "../mesh/simulate/merge.ts";

/** Makes the answers of `/simulate`. */
export function simulator(workers: Workers): Simulate {
  return async (changes) => {
    const [first, ...others] = workers.all;
    await first!.ready;
    const one = await first!.simulations.run(changes, true);
    const more = await Promise.all(others.map(({ simulations }) => simulations.run(changes, false)));
    return mergeResults([one, ...more]);
  };
}
