/** A question about the mesh as a worker knows it, and the answer. A part of `messages.ts`; plain data. */
import type { ExplainAnswer, ExplainQuestion } from "../mesh/explain/explanation.ts";

export interface ExplainRequest {
  /** A number of main's choice. */
  readonly request: number;
  readonly question: ExplainQuestion;
}

export interface ExplainReply {
  readonly request: number;
  readonly answer: ExplainAnswer;
}
