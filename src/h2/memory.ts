/** What the connections of one thread share. */
import { BufferPool } from "./buffer_pool.ts";
import { WindowBudget } from "./window_budget.ts";

export interface H2Memory {
  readonly output: BufferPool;
  readonly windows: WindowBudget;
}

/** Bytes by which the windows of one thread may grow: sixteen streams at their largest. */
const WINDOW_GROWTH = 256 << 20;

export function makeH2Memory(output = new BufferPool()): H2Memory {
  return { output, windows: new WindowBudget(WINDOW_GROWTH) };
}
