/** Explanations of the mesh as this isolate knows it. */
import type { Config } from "../config/config.ts";
import { explain } from "../mesh/explain/explain.ts";
import { explainSettings } from "../mesh/explain/settings.ts";
import type { ExplainAnswer } from "../mesh/explain/explanation.ts";
import type { MeshState } from "../mesh/state/state.ts";
import type { ExplainReply, ExplainRequest } from "./explain_messages.ts";
import { nameLookup } from "./explain_names.ts";

/** An explanation that fails is no reason for the worker to die. */
export function explainFor(state: MeshState, config: Config, { request, question }: ExplainRequest): ExplainReply {
  return { request, answer: answerTo(state, config, question) };
}

function answerTo(state: MeshState, config: Config, question: ExplainRequest["question"]): ExplainAnswer {
  const settings = explainSettings(config);
  try {
    return explain(state, settings, question, nameLookup(state, settings));
  } catch (error) {
    const message = `explaining failed: ${error instanceof Error ? error.message : String(error)}`;
    return { kind: "error", error: { code: "FAILED", message, candidates: [] } };
  }
}
