/** Explanations from a config dump, from which the mesh is built again. */
import { nameLookup } from "../dataplane/explain_names.ts";
import { readDump } from "../mesh/dump/reader.ts";
import { explain } from "../mesh/explain/explain.ts";
import type { ExplainAnswer, ExplainQuestion } from "../mesh/explain/explanation.ts";
import { MeshState } from "../mesh/state/state.ts";

/** `name`: the name of the dump in messages. Throws `DumpError`. */
export function askDump({ from, to }: ExplainQuestion, text: string, name: string): ExplainAnswer {
  const { changes, settings } = readDump(text, name);
  const state = new MeshState();
  state.apply(changes);
  return explain(state, settings, { from, to }, nameLookup(state, settings));
}
