/** Memory and budgets that the connections of one thread share. */
import { BufferPool } from "./buffer_pool.ts";
import { HeldBytes } from "./held_bytes.ts";
import { WindowBudget } from "./window_budget.ts";

/** One for each thread. */
export interface H2Memory {
  readonly output: BufferPool;
  readonly windows: WindowBudget;
  readonly held: HeldBytes;
}

/** Bytes by which the windows of one thread may grow in total: enough for sixteen streams with the largest windows. */
const WINDOW_GROWTH = 256 << 20;

/** By default without a limit on held bytes, for tests. */
export function makeH2Memory(output = new BufferPool(), held = new HeldBytes(Infinity)): H2Memory {
  return { output, windows: new WindowBudget(Math.min(WINDOW_GROWTH, held.most)), held };
}
