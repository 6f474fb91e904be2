/** Explanations from a config dump, from which the mesh is built again. */
import { nameLookup } from "../dataplane/explain_names.ts";
import { readDump } from "../mesh/dump/reader.ts";
import { type DecisionRow, decisionRows } from "../mesh/explain/decision.ts";
import { explain } from "../mesh/explain/explain.ts";
import type { ExplainAnswer, ExplainQuestion } from "../mesh/explain/explanation.ts";
import { DecisionCounts } from "../mesh/policy/decision_counts.ts";
import { MeshState } from "../mesh/state/state.ts";

/** `name`: the name of the dump in messages. Throws `DumpError`, and an error where no policy has this id. */
export function askDumpDecision(id: string, text: string, name: string): DecisionRow {
  const state = new MeshState();
  state.apply(readDump(text, name).changes);
  for (const row of decisionRows({ state, counts: new DecisionCounts(), date: () => null }, id)) {
    if (row !== null) return row;
  }
  throw new Error(`no policy in ${name} has the decision "${id}"`);
}

/** `name`: the name of the dump in messages. Throws `DumpError`. */
export function askDump({ from, to }: ExplainQuestion, text: string, name: string): ExplainAnswer {
  const { changes, settings } = readDump(text, name);
  const state = new MeshState();
  state.apply(changes);
  return explain(state, settings, { from, to }, nameLookup(state, settings));
}
