/** The decisions of one isolate with their times by the wall clock. */
import { type DecisionRow, decisionRows } from "../mesh/explain/decision.ts";
import type { DecisionCounts } from "../mesh/policy/decision_counts.ts";
import type { MeshState } from "../mesh/state/state.ts";
import type { Millis } from "../net/clock.ts";

/** What the list is made from. */
interface DecisionParts {
  readonly state: MeshState;
  readonly decisions: DecisionCounts;
}

/** Decisions that were made, or with `id` that one. Null: a pause. `now`: of the state; `wallClock`: since the epoch. */
export function listDecisions(
  { state, decisions: counts }: DecisionParts,
  id: string | null,
  now: () => Millis,
  wallClock: () => number,
): Iterable<DecisionRow | null> {
  const date = (at: Millis) => new Date(wallClock() - (now() - at)).toISOString();
  return decisionRows({ state, counts, date }, id);
}
