/** Explanations from this isolate's copy of the mesh. */
import type { Config } from "../config/config.ts";
import { explain } from "../mesh/explain/explain.ts";
import { explainSettings } from "../mesh/explain/settings.ts";
import type { ExplainAnswer } from "../mesh/explain/explanation.ts";
import type { MeshState } from "../mesh/state/state.ts";
import type { ExplainReply, ExplainRequest } from "./explain_messages.ts";
import { nameLookup } from "./explain_names.ts";

/** Answers a question. An exception fails the explanation and not the worker. */
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
