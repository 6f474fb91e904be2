/** Simulations on a config dump, from which the mesh is built again. */
import { readDump } from "../mesh/dump/reader.ts";
import { recordedDump } from "../mesh/simulate/flow_calls.ts";
import { readObjects } from "../mesh/istio_policies/read.ts";
import { gatherChanges, parseDeletion } from "../mesh/simulate/policy_changes.ts";
import type { SimulationResult } from "../mesh/simulate/result.ts";
import { simulate } from "../mesh/simulate/simulation.ts";
import { MeshState } from "../mesh/state/state.ts";
import type { SimulateQuestion } from "./simulate_question.ts";

/** `name`: the name of the dump in messages. Throws `DumpError` and `ConfigError`. */
export function simulateDump(question: SimulateQuestion, text: string, name: string): SimulationResult {
  const { files, deletions, root } = question;
  const objects = files.flatMap((file) => [...readObjects(file.text, file.name, root)].flat());
  const { changes, settings, inbound } = readDump(text, name);
  const state = new MeshState();
  state.apply(changes);
  const steps = simulate({
    state,
    unknownPolicies: "deny",
    changes: gatherChanges(objects, deletions.map((each) => parseDeletion(each)!), root),
    open: inbound?.map((each) => recordedDump(state, settings, each)) ?? null,
    ended: null,
    pairs: true,
  });
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
