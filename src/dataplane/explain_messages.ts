/** Messages for explanations of the mesh as a worker has it. A part of `messages.ts`; plain data. */
import type { ExplainAnswer, ExplainQuestion } from "../mesh/explain/explanation.ts";

/** From main to a worker. */
export interface ExplainRequest {
  /** A number that main chooses. */
  readonly request: number;
  readonly question: ExplainQuestion;
}

/** From a worker to main. */
export interface ExplainReply {
  readonly request: number;
  readonly answer: ExplainAnswer;
}
