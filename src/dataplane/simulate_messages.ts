/**
 * Messages for simulations. A part of `messages.ts`; plain data. One slice is in flight:
 *
 *     main                        worker
 *      │── simulate-begin ─────────▶│
 *      │── simulate-more ──────────▶│
 *      │◀─────────── simulate-slice │  … until `ended` or `failed`
 *      │── simulate-end ───────────▶│  in any case
 */
import type { PolicyChanges } from "../mesh/simulate/policy_changes.ts";
import type { Change, ListName, SimulationResult } from "../mesh/simulate/result.ts";

/** From main to a worker. Main chooses the numbers and uses each once. */
export type SimulateRequest =
  | {
    readonly kind: "simulate-begin";
    readonly simulation: number;
    readonly changes: PolicyChanges;
    /** Whether pairs are compared: one worker does that, as all have the same mesh. */
    readonly pairs: boolean;
  }
  | { readonly kind: "simulate-more"; readonly simulation: number }
  | { readonly kind: "simulate-end"; readonly simulation: number };

/** A part of the answer. */
export type SimulateSlice =
  /** It goes on. */
  | { readonly kind: "running" }
  /** Some changes of a list. */
  | { readonly kind: "changes"; readonly list: ListName; readonly changes: readonly Change[] }
  /** The rest of the answer: its lists lack the changes that were sent before. */
  | { readonly kind: "ended"; readonly result: SimulationResult }
  /** `isMistake`: the changes cannot be applied. */
  | { readonly kind: "failed"; readonly message: string; readonly isMistake: boolean };

/** From a worker to main. */
export interface SimulateAnswer {
  readonly simulation: number;
  readonly slice: SimulateSlice;
}
